#include <ktrdr/training/checkpoint_files.hpp>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/checksum.hpp>
#include <ktrdr/base/file_names.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/models/safetensors.hpp>
#include <ktrdr/training/training_context.hpp>
#include <ktrdr/training/training_data.hpp>

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view hidden_mark = ".part";

/// A descriptor that is closed, and what it locks let go of, at the end.
class OpenedFile final {
public:
    explicit OpenedFile(int number) noexcept : number_(number) {}
    OpenedFile(OpenedFile&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    OpenedFile& operator=(OpenedFile&&) = delete;
    ~OpenedFile() {
        if (number_ >= 0) {
            ::close(number_);
        }
    }
    [[nodiscard]] int number() const noexcept { return number_; }

private:
    int number_;
};

bool is_still_at(int descriptor, const fs::path& path) {
    const FileId own = file_id(descriptor);
    return own != FileId{} && own == file_id(path);
}

/// The file, in its folder, which is made where it is missing.
Result<int> open_in_folder(const fs::path& path, FileAccess access) {
    Error last;
    // Another training that ends or clears up may remove the empty folder in between. That many do so one after the
    // other, each in the same moment, is no bad luck but something else in the way: it is told.
    for (int attempt = 0; attempt < 10'000; ++attempt) {
        if (auto made = make_folders(path.parent_path(), access); !made) {
            last = made.error();
            continue;
        }
        const auto opened = open_plain_file(path, access);
        if (opened) {
            return *opened;
        }
        last = opened.error();
    }
    return last;
}

/// A file of that name, locked for as long as the descriptor lives: who clears up after the dead may take it away
/// between its making and its lock, and holds the lock for a moment then.
Result<OpenedFile> open_locked(const fs::path& path, FileAccess access) {
    for (;;) {
        const auto opened = open_in_folder(path, access);
        if (!opened) {
            return opened.error();
        }
        OpenedFile file(*opened);
        int failed = 0;
        do {
            failed = ::flock(file.number(), LOCK_EX);
        } while (failed != 0 && errno == EINTR);
        // On a file system without locks nobody clears up either.
        if (failed != 0 || is_still_at(file.number(), path)) {
            return file;
        }
    }
}

Result<void> write_whole(int descriptor, const fs::path& path, std::string_view content) {
    bool whole = ::ftruncate(descriptor, 0) == 0;
    while (whole && !content.empty()) {
        const ssize_t written = ::write(descriptor, content.data(), content.size());
        whole = written > 0 || errno == EINTR;
        content.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    whole = whole && ::fsync(descriptor) == 0;
    return whole ? Result<void>() : file_error("write the checkpoint", path, errno);
}

Error unreadable(const fs::path& path, std::string_view why) {
    return fail(Errc::storage,
                fmt::format("the checkpoint {} cannot be used: {}; remove the file and train from the beginning",
                            shown_utf8(path.native()), why),
                {{"path", shown_utf8(path.native())}});
}

Error of_another(const fs::path& path, std::string_view what) {
    return fail(
        Errc::conflict,
        fmt::format("the training cannot go on from the checkpoint {}: {}; resume with what it was begun with, or "
                    "train from the beginning",
                    shown_utf8(path.native()), what),
        {{"path", shown_utf8(path.native())}});
}

}  // namespace

TrainingIdentity identity_of(const TrainingOperationContext& context, const TrainingData& data) {
    TrainingIdentity identity{.strategy_name = context.strategy.name};
    Checksum strategy;
    strategy.add_bytes(boost::json::serialize(context.strategy.source));
    identity.strategy = strategy.text();
    Checksum rows;
    for (const std::string& name : data.feature_names) {
        rows.add_bytes(name);
    }
    for (const LabeledMatrix* part : {&data.rows.train, &data.rows.validation, &data.rows.test}) {
        rows.add(std::span<const float>(part->values));
        rows.add(std::span<const std::int64_t>(part->labels));
        rows.add(std::span<const float>(part->weights));
    }
    identity.data = rows.text();
    return identity;
}

fs::path CheckpointFiles::path(const std::string& operation_id) const {
    return folder_ / (percent_encoded(operation_id) + ".safetensors");
}

fs::path CheckpointFiles::hidden_path(const std::string& operation_id) const {
    return folder_ / fmt::format(".{}{}", percent_encoded(operation_id), hidden_mark);
}

bool CheckpointFiles::contains(const std::string& operation_id) const {
    std::error_code ignored;
    return fs::is_regular_file(path(operation_id), ignored);
}

Result<void> CheckpointFiles::save(const std::string& operation_id, const TrainingIdentity& of,
                                   const TrainerCheckpoint& checkpoint) const {
    const std::string content =
        encode_safetensors(checkpoint.tensors, {{"format", "pt"},
                                                {"strategy_name", of.strategy_name},
                                                {"strategy", of.strategy},
                                                {"data", of.data},
                                                {"state", boost::json::serialize(checkpoint.state)}});
    const fs::path hidden = hidden_path(operation_id);
    const auto file = open_locked(hidden, access_);
    if (!file) {
        return file.error();
    }
    if (auto written = write_whole(file->number(), hidden, content); !written) {
        return written;
    }
    const fs::path to = path(operation_id);
    if (std::rename(hidden.c_str(), to.c_str()) != 0) {
        return file_error("give its name to the checkpoint", to, errno);
    }
    return {};
}

Result<TrainerCheckpoint> CheckpointFiles::load(const std::string& operation_id, const TrainingIdentity& of) const {
    const fs::path from = path(operation_id);
    if (!contains(operation_id)) {
        return fail(Errc::not_found,
                    fmt::format("there is no checkpoint of the training {} ({}): it has completed, or was cancelled "
                                "without one; train from the beginning",
                                operation_id, shown_utf8(from.native())),
                    {{"operation_id", operation_id}});
    }
    std::ifstream file(from, std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(file)), {});
    if (!file) {
        return unreadable(from, "it cannot be read");
    }
    auto read = decode_safetensors(content);
    if (!read) {
        return unreadable(from, read.error().message);
    }
    const std::string_view strategy_name = text_or_empty(read->metadata, "strategy_name");
    if (strategy_name != of.strategy_name || text_or_empty(read->metadata, "strategy") != of.strategy) {
        return of_another(
            from, fmt::format("it is of another strategy ('{}'; this one is '{}'{})", strategy_name, of.strategy_name,
                              strategy_name == of.strategy_name ? ", and says something else" : ""));
    }
    if (text_or_empty(read->metadata, "data") != of.data) {
        return of_another(from, fmt::format("it is of other data: the rows of '{}' are not those that it was trained "
                                            "on (other symbols, dates or split, or bars that have changed)",
                                            of.strategy_name));
    }
    boost::system::error_code error;
    const boost::json::value state = parse_json(text_or_empty(read->metadata, "state"), error);
    if (error || !state.is_object()) {
        return unreadable(from, "it does not say where the training stood");
    }
    return TrainerCheckpoint{std::move(read->tensors), state.get_object()};
}

void CheckpointFiles::remove(const std::string& operation_id) const noexcept {
    std::error_code ignored;
    fs::remove(path(operation_id), ignored);
    fs::remove(hidden_path(operation_id), ignored);
    // Refused while another training has one there.
    fs::remove(folder_, ignored);
}

void CheckpointFiles::remove_leftovers() const noexcept {
    try {
        std::vector<fs::path> found;
        std::error_code ignored;
        for (fs::directory_iterator entry(folder_, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
            const std::string name = entry->path().filename().string();
            std::error_code none;
            if (name.starts_with('.') && name.ends_with(hidden_mark) &&
                entry->symlink_status(none).type() == fs::file_type::regular) {
                found.push_back(entry->path());
            }
        }
        for (const fs::path& path : found) {
            const auto opened = open_plain_file(path, access_);
            // The lock is held until the file is gone: who made it and has not locked it yet finds another one.
            if (!opened) {
                continue;
            }
            const OpenedFile file(*opened);
            if (::flock(file.number(), LOCK_EX | LOCK_NB) == 0 && is_still_at(file.number(), path)) {
                fs::remove(path, ignored);
            }
        }
        if (!found.empty()) {
            fs::remove(folder_, ignored);
        }
    } catch (...) {
        log_caught("training", "clearing up after trainings that died while they wrote a checkpoint");
    }
}

}  // namespace ktrdr
