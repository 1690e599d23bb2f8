#include <ktrdr/models/model_directory.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include <ktrdr/base/file_names.hpp>
#include <ktrdr/base/ids.hpp>

#include "model_leftovers.hpp"
#include "posix_folder.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

/// How much of a text is left where a `%2F` that it was cut in is left out.
std::size_t whole_codes(std::string_view encoded) {
    constexpr std::size_t code = 3;
    const std::size_t last = encoded.rfind('%');
    return last != std::string_view::npos && encoded.size() - last < code ? last : encoded.size();
}

/// FNV-1a, 64 bits.
std::uint64_t checksum(const std::string& text) {
    std::uint64_t sum = 14695981039346656037u;
    for (const char c : text) {
        sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211u;
    }
    return sum;
}

/// A symbol as a part of a folder's name: a hyphen is what stands between two of them.
std::string encoded_symbol(const std::string& symbol) {
    std::string text = percent_encoded(symbol);
    for (std::size_t at = text.find('-'); at != std::string::npos; at = text.find('-', at + 1)) {
        text.replace(at, 1, "%2D");
    }
    return text;
}

std::string joined(const std::vector<std::string>& symbols, std::string (*encoded)(const std::string&)) {
    std::string text;
    for (const std::string& symbol : symbols) {
        if (!text.empty()) {
            text += '-';
        }
        text += encoded(symbol);
    }
    return text;
}

/// What the folders were called before hyphens inside of symbols were encoded.
std::string earlier_stem(const ModelName& name) {
    const auto encoded = [](const std::string& symbol) { return percent_encoded(symbol); };
    return fmt::format("{}_{}", joined(name.symbols, encoded), percent_encoded(name.timeframe));
}

/// A new model under a hidden name beside its place, locked for as long as this lives. It goes again, with all that is
/// in it, unless it was kept.
class TemporaryModel final {
public:
    TemporaryModel(PosixFolder parent, PosixFolder folder)
        : parent_(std::move(parent)), folder_(std::move(folder)), kept_(false) {}
    TemporaryModel(TemporaryModel&& other) noexcept
        : parent_(std::move(other.parent_)),
          folder_(std::move(other.folder_)),
          kept_(std::exchange(other.kept_, true)) {}
    TemporaryModel& operator=(TemporaryModel&&) = delete;
    ~TemporaryModel() {
        if (!kept_) {
            std::error_code ignored;
            fs::remove_all(folder_.path(), ignored);
            // The strategy's folder goes too where this was the first model; the call refuses a folder with content.
            fs::remove(parent_.path(), ignored);
        }
    }
    [[nodiscard]] const PosixFolder& parent() const { return parent_; }
    [[nodiscard]] const PosixFolder& folder() const { return folder_; }
    [[nodiscard]] std::string name() const { return folder_.path().filename().string(); }
    void keep() { kept_ = true; }

private:
    PosixFolder parent_;
    PosixFolder folder_;
    bool kept_;
};

Result<TemporaryModel> make_temporary(const fs::path& models_dir, const std::string& strategy, const Clock& clock,
                                      FileAccess access) {
    if (auto made = make_folders(models_dir, access); !made) {
        return made.error();
    }
    auto models = PosixFolder::open(models_dir);
    if (!models) {
        return models.error();
    }
    Error last;
    // Another training that stopped may remove the empty parent in between, so this is tried more than once.
    for (int attempt = 0; attempt < 5; ++attempt) {
        auto parent = models->enter(strategy, access);
        if (!parent) {
            last = parent.error();
            continue;
        }
        auto folder = parent->enter(temporary_name(make_uuid7(clock)), access);
        if (!folder) {
            last = folder.error();
            continue;
        }
        // Who clears up after the dead may have come between.
        if (folder->try_lock() == FolderLock::taken) {
            last = fail(Errc::storage,
                        fmt::format("the new folder {} was removed while it was made", folder->path().string()),
                        {{"path", folder->path().string()}});
            continue;
        }
        return TemporaryModel(std::move(*parent), std::move(*folder));
    }
    return last;
}

struct Writing {
    const PosixFolder& folder;
    const ModelDirectory::Check& check;
    FileAccess access;
};

Result<void> write_file(const Writing& to, const std::string& name, std::string_view content) {
    auto file = to.folder.create(name, to.access);
    if (!file) {
        return file.error();
    }
    if (auto written = file->write(content, [&] { return to.check(name); }); !written) {
        return written;
    }
    return file->sync();
}

Result<void> write_json(const Writing& to, const std::string& name, const boost::json::object& content) {
    return write_file(to, name, boost::json::serialize(content) + "\n");
}

/// No strategy is trained as often: a larger number in a folder's name is not one of ours.
constexpr std::int64_t last_version = 1'000'000'000'000;

/// The version that the whole text is; 0 for anything else.
std::int64_t version_in(std::string_view text) {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    return error == std::errc() && stop == end && number > 0 && number <= last_version ? number : 0;
}

/// The largest N of the names `{stem}_v{N}`, whatever has them.
std::int64_t highest_version(const fs::path& parent, const std::string& stem) {
    const std::string prefix = stem + "_v";
    std::int64_t highest = 0;
    std::error_code ignored;
    for (fs::directory_iterator entry(parent, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
        const std::string name = entry->path().filename().string();
        if (name.starts_with(prefix)) {
            highest = std::max(highest, version_in(std::string_view(name).substr(prefix.size())));
        }
    }
    return highest;
}

Result<std::int64_t> next_version(const PosixFile& counter, const fs::path& parent, const std::string& stem,
                                  const std::string& earlier) {
    auto last = counter.read_all();
    if (!last) {
        return last.error();
    }
    const std::int64_t highest =
        std::max({version_in(*last), highest_version(parent, stem), highest_version(parent, earlier)});
    if (highest == last_version) {
        return fail(Errc::storage,
                    fmt::format("there is no version after {} for {} in {}; remove the folder or the file {} with that "
                                "number",
                                highest, stem, parent.string(), counter.path().string()),
                    {{"path", parent.string()}});
    }
    return highest + 1;
}

Result<void> write_parts(const Writing& to, const ModelContent& content) {
    if (auto written = write_file(to, "model.safetensors", content.safetensors); !written) {
        return written;
    }
    if (auto written = write_json(to, "config.json", content.config); !written) {
        return written;
    }
    if (auto written = write_json(to, "metrics.json", content.metrics); !written) {
        return written;
    }
    return write_json(to, "features.json", content.features);
}

/// Under the lock of the stem: take the next number, write it into the metadata, and give the folder its name.
Result<SavedModel> publish(TemporaryModel& model, const Writing& to, const ModelName& name,
                           boost::json::object metadata) {
    const std::string stem = model_stem(name);
    if (auto go = to.check("version"); !go) {
        return go.error();
    }
    const fs::path& parent = model.parent().path();
    // Beside the strategies' folders, so that a deleted folder does not take its numbers with it.
    auto counter = PosixFile::open_own(
        parent.parent_path() / fmt::format(".{}.{}.version", parent.filename().string(), stem), to.access);
    if (!counter) {
        return counter.error();
    }
    if (auto locked = counter->lock([&to] { return to.check("version"); }); !locked) {
        return locked.error();
    }
    const auto version = next_version(*counter, parent, stem, earlier_stem(name));
    if (!version) {
        return version.error();
    }
    metadata["version"] = *version;
    metadata["layout"] = model_layout;
    if (auto written = write_json(to, "metadata.json", metadata); !written) {
        return written.error();
    }
    if (auto synced = to.folder.sync(); !synced) {
        return synced.error();
    }
    if (auto go = to.check("rename"); !go) {
        return go.error();
    }
    if (auto stored = counter->replace(std::to_string(*version)); !stored) {
        return stored.error();
    }
    const std::string place = fmt::format("{}_v{}", stem, *version);
    if (auto renamed = model.parent().rename(model.name(), place); !renamed) {
        return renamed.error();
    }
    model.keep();
    if (auto synced = model.parent().sync(); !synced) {
        return synced.error();
    }
    return SavedModel{parent / place, *version};
}

}  // namespace

std::string model_stem(const ModelName& name) {
    std::string symbols = joined(name.symbols, encoded_symbol);
    constexpr std::size_t most = 100;
    if (symbols.size() > most) {
        constexpr std::size_t most_of_first = 40;
        const std::string first = encoded_symbol(name.symbols.front()).substr(0, most_of_first);
        // Two hyphens stand between no two symbols.
        symbols = fmt::format("{}--and-{}-more-{:016x}", first.substr(0, whole_codes(first)), name.symbols.size() - 1,
                              checksum(symbols));
    }
    return fmt::format("{}_{}", symbols, percent_encoded(name.timeframe));
}

Result<void> ModelDirectory::check_place(const std::string& strategy) const {
    std::error_code error;
    fs::path path = fs::absolute(models_dir_ / strategy, error);
    while (!fs::exists(path, error) && path.has_parent_path() && path != path.parent_path()) {
        path = path.parent_path();
    }
    if (!fs::is_directory(path, error)) {
        return fail(Errc::storage,
                    fmt::format("models_dir {} cannot be made: {} is not a folder; choose another models_dir or set "
                                "KTRDR_MODELS_DIR",
                                models_dir_.string(), path.string()),
                    {{"path", models_dir_.string()}});
    }
    if (::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
        return file_error("save models in", path, errno, "choose another models_dir or set KTRDR_MODELS_DIR");
    }
    return {};
}

void ModelDirectory::remove_leftovers() const {
    std::error_code ignored;
    std::vector<fs::path> strategies;
    for (fs::directory_iterator entry(models_dir_, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
        std::error_code none;
        if (entry->is_directory(none) && !entry->is_symlink(none)) {
            strategies.push_back(entry->path());
        }
    }
    for (const fs::path& strategy : strategies) {
        remove_leftovers_in(strategy);
    }
}

Result<SavedModel> ModelDirectory::save(const ModelName& name, ModelContent content, const Check& check) const {
    if (auto go = check("saving"); !go) {
        return go.error();
    }
    if (const fs::path folder(name.strategy);
        name.strategy.empty() || folder != folder.filename() || name.strategy == "." || name.strategy == "..") {
        return fail(Errc::invalid_argument,
                    fmt::format("a strategy is called as a folder may be, not {:?}", name.strategy),
                    {{"field", "strategy"}});
    }
    auto model = make_temporary(models_dir_, name.strategy, clock_, access_);
    if (!model) {
        return model.error();
    }
    const Writing to{model->folder(), check, access_};
    if (auto written = write_parts(to, content); !written) {
        return written.error();
    }
    return publish(*model, to, name, std::move(content.metadata));
}

}  // namespace ktrdr
