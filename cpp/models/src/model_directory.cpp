#include <ktrdr/models/model_directory.hpp>

#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <ktrdr/base/ids.hpp>

#include "posix_file.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
}

/// FNV-1a, 32 bits.
std::uint32_t checksum(const std::string& text) {
    std::uint32_t sum = 2166136261u;
    for (const char c : text) {
        sum = (sum ^ static_cast<unsigned char>(c)) * 16777619u;
    }
    return sum;
}

/// A folder that goes again, with all that is in it, unless it was kept.
class TemporaryFolder final {
public:
    explicit TemporaryFolder(fs::path path) : path_(std::move(path)) {}
    TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
    TemporaryFolder& operator=(TemporaryFolder&&) = delete;
    ~TemporaryFolder() {
        if (!path_.empty()) {
            std::error_code ignored;
            fs::remove_all(path_, ignored);
            // The strategy's folder goes too where this was the first model; the call refuses a folder with content.
            fs::remove(path_.parent_path(), ignored);
        }
    }
    [[nodiscard]] const fs::path& path() const { return path_; }
    void keep() { path_.clear(); }

private:
    fs::path path_;
};

Result<TemporaryFolder> make_temporary(const fs::path& parent, const Clock& clock) {
    const fs::path path = parent / ("." + make_uuid7(clock) + ".part");
    std::error_code error;
    // Another training that stopped may remove the empty parent in between, so this is tried more than once.
    for (int attempt = 0; attempt < 5; ++attempt) {
        fs::create_directories(parent, error);
        if (!error && fs::create_directory(path, error)) {
            return TemporaryFolder(path);
        }
    }
    return file_error("make the folder", path, error.value());
}

Result<void> write_file(const fs::path& folder, const std::string& name, std::string_view content,
                        const ModelDirectory::Check& check) {
    auto file = PosixFile::open(folder / name, O_WRONLY | O_CREAT | O_EXCL);
    if (!file) {
        return file.error();
    }
    if (auto written = file->write(content, [&] { return check(name); }); !written) {
        return written;
    }
    return file->sync();
}

Result<void> write_json(const fs::path& folder, const std::string& name, const boost::json::object& content,
                        const ModelDirectory::Check& check) {
    return write_file(folder, name, boost::json::serialize(content) + "\n", check);
}

Result<void> sync_folder(const fs::path& folder) {
    auto opened = PosixFile::open(folder, O_RDONLY | O_DIRECTORY);
    if (!opened) {
        return opened.error();
    }
    return opened->sync();
}

std::int64_t number_in(std::string_view text) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

/// The largest N of the folders `{stem}_v{N}`.
std::int64_t highest_version(const fs::path& parent, const std::string& stem) {
    const std::string prefix = stem + "_v";
    std::int64_t highest = 0;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(parent, ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(prefix)) {
            highest = std::max(highest, number_in(std::string_view(name).substr(prefix.size())));
        }
    }
    return highest;
}

Result<void> write_parts(const fs::path& folder, const ModelContent& content, const ModelDirectory::Check& check) {
    if (auto written = write_file(folder, "model.safetensors", content.safetensors, check); !written) {
        return written;
    }
    if (auto written = write_json(folder, "config.json", content.config, check); !written) {
        return written;
    }
    if (auto written = write_json(folder, "metrics.json", content.metrics, check); !written) {
        return written;
    }
    return write_json(folder, "features.json", content.features, check);
}

/// Under the lock of the stem: take the next number, write it into the metadata, and give the folder its name.
Result<SavedModel> publish(TemporaryFolder& folder, const fs::path& parent, const std::string& stem,
                           boost::json::object metadata, const ModelDirectory::Check& check) {
    if (auto go = check("version"); !go) {
        return go.error();
    }
    // Beside the strategies' folders, so that a deleted folder does not take its numbers with it.
    const fs::path counter_path =
        parent.parent_path() / fmt::format(".{}.{}.version", parent.filename().string(), stem);
    auto counter = PosixFile::open(counter_path, O_RDWR | O_CREAT);
    if (!counter) {
        return counter.error();
    }
    if (auto locked = counter->lock(); !locked) {
        return locked.error();
    }
    auto last = counter->read_all();
    if (!last) {
        return last.error();
    }
    const std::int64_t version = std::max(number_in(*last), highest_version(parent, stem)) + 1;
    metadata["version"] = version;
    if (auto written = write_json(folder.path(), "metadata.json", metadata, check); !written) {
        return written.error();
    }
    if (auto synced = sync_folder(folder.path()); !synced) {
        return synced.error();
    }
    if (auto go = check("rename"); !go) {
        return go.error();
    }
    if (auto stored = counter->replace(std::to_string(version)); !stored) {
        return stored.error();
    }
    const fs::path target = parent / fmt::format("{}_v{}", stem, version);
    std::error_code error;
    fs::rename(folder.path(), target, error);
    if (error) {
        return file_error("rename the finished model to", target, error.value());
    }
    folder.keep();
    if (auto synced = sync_folder(parent); !synced) {
        return synced.error();
    }
    return SavedModel{target, version};
}

}  // namespace

std::string model_stem(const ModelName& name) {
    std::string symbols;
    for (const std::string& symbol : name.symbols) {
        symbols += symbols.empty() ? symbol : "-" + symbol;
    }
    constexpr std::size_t most = 100;
    if (symbols.size() > most) {
        symbols = fmt::format("{}-and-{}-more-{:08x}", name.symbols.front().substr(0, 40), name.symbols.size() - 1,
                              checksum(symbols));
    }
    std::string stem = fmt::format("{}_{}", symbols, name.timeframe);
    std::ranges::replace_if(stem, [](char c) { return !is_plain(c); }, '-');
    return stem;
}

Result<void> ModelDirectory::check_place() const {
    std::error_code error;
    fs::path path = fs::absolute(models_dir_, error);
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
    return {};
}

Result<SavedModel> ModelDirectory::save(const ModelName& name, ModelContent content, const Check& check) const {
    if (auto go = check("saving"); !go) {
        return go.error();
    }
    const fs::path parent = models_dir_ / name.strategy;
    auto folder = make_temporary(parent, clock_);
    if (!folder) {
        return folder.error();
    }
    if (auto written = write_parts(folder->path(), content, check); !written) {
        return written.error();
    }
    return publish(*folder, parent, model_stem(name), std::move(content.metadata), check);
}

}  // namespace ktrdr
