#include <ktrdr/models/model_files.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <tuple>

#include <ktrdr/base/json.hpp>
#include <ktrdr/models/model_directory.hpp>
#include <ktrdr/models/safetensors.hpp>

#include "posix_file.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

constexpr off_t largest_json = off_t{64} << 20;
constexpr off_t largest_weights = off_t{4} << 30;

Error unreadable(const fs::path& file, const std::string& what) {
    return fail(Errc::invalid_argument,
                fmt::format("{} is no whole model: {} {}; train it again or take another one",
                            file.parent_path().string(), file.filename().string(), what),
                {{"path", file.string()}});
}

Result<std::string> read_file(const fs::path& path, off_t most) {
    // A FIFO in its place holds nobody up.
    const PosixFile file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK), path);
    if (file.descriptor() < 0) {
        return errno == ENOENT ? unreadable(path, "is missing")
                               : unreadable(path, "cannot be read: " + std::generic_category().message(errno));
    }
    struct stat found{};
    if (::fstat(file.descriptor(), &found) != 0 || !S_ISREG(found.st_mode)) {
        return unreadable(path, "is no plain file");
    }
    if (found.st_size > most) {
        return unreadable(path, fmt::format("has {} bytes, and {} is the most", found.st_size, most));
    }
    std::string content(static_cast<std::size_t>(found.st_size), '\0');
    std::size_t done = 0;
    while (done < content.size()) {
        const ssize_t count = ::read(file.descriptor(), content.data() + done, content.size() - done);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            return unreadable(path, count < 0 ? "cannot be read: " + std::generic_category().message(errno)
                                              : std::string("became shorter while it was read"));
        }
        done += static_cast<std::size_t>(count);
    }
    return content;
}

Result<boost::json::object> read_object(const fs::path& path) {
    const auto content = read_file(path, largest_json);
    if (!content) {
        return content.error();
    }
    boost::system::error_code error;
    const boost::json::value value = parse_json(*content, error);
    if (error || !value.is_object()) {
        return unreadable(path, error ? "is no JSON: " + error.message() : std::string("holds no JSON object"));
    }
    return value.get_object();
}

Result<void> check_layout(const ModelFiles& files) {
    const boost::json::value* const layout = files.metadata.if_contains("layout");
    boost::system::error_code error;
    const auto number = layout == nullptr ? std::int64_t{1} : layout->to_number<std::int64_t>(error);
    if (error || number < 1) {
        return unreadable(files.path / "metadata.json", "names no layout that there is");
    }
    if (number > model_layout) {
        return fail(
            Errc::storage_schema,
            fmt::format("{} has layout {}, which a newer ktrdr-core wrote; this one reads up to {}: install the "
                        "newer one",
                        files.path.string(), number, model_layout),
            {{"path", files.path.string()}, {"layout", number}, {"newest", model_layout}});
    }
    return {};
}

/// Strategy, name without version, version: models of one name in the order of their versions.
std::tuple<std::string, std::string, std::int64_t> rank(const fs::path& folder) {
    const std::string name = folder.filename().string();
    const std::size_t at = name.rfind("_v");
    std::int64_t version = 0;
    if (at != std::string::npos) {
        std::from_chars(name.data() + at + 2, name.data() + name.size(), version);
    }
    return {folder.parent_path().filename().string(), name.substr(0, at), version};
}

std::vector<fs::path> visible_folders(const fs::path& folder) {
    std::vector<fs::path> found;
    std::error_code ignored;
    for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
        std::error_code none;
        if (!entry->path().filename().string().starts_with('.') && entry->is_directory(none)) {
            found.push_back(entry->path());
        }
    }
    return found;
}

}  // namespace

Result<ModelFiles> read_model_files(const fs::path& folder) {
    std::error_code error;
    if (!fs::is_directory(folder, error)) {
        const fs::path models = folder.parent_path().parent_path();
        const bool there = !models.empty() && fs::is_directory(models, error);
        return fail(Errc::not_found,
                    fmt::format("there is no model's folder {}: `ktrdr-core models list{}` shows which there are",
                                folder.string(), there ? fmt::format(" --models-dir {}", models.string()) : ""),
                    {{"path", folder.string()}});
    }
    ModelFiles files;
    files.path = folder;
    // The layout first: what a newer version wrote may lack what we look for.
    for (const auto& [name, member] :
         {std::pair{"metadata.json", &files.metadata}, std::pair{"config.json", &files.config},
          std::pair{"metrics.json", &files.metrics}, std::pair{"features.json", &files.features}}) {
        auto content = read_object(folder / name);
        if (!content) {
            return content.error();
        }
        *member = std::move(*content);
        if (member == &files.metadata) {
            if (auto known = check_layout(files); !known) {
                return known.error();
            }
        }
    }
    return files;
}

Result<std::vector<NamedTensor>> read_model_weights(const fs::path& folder) {
    const fs::path path = folder / "model.safetensors";
    const auto content = read_file(path, largest_weights);
    if (!content) {
        return content.error();
    }
    auto file = decode_safetensors(*content);
    if (!file) {
        return unreadable(path, "cannot be read: " + file.error().message);
    }
    return std::move(file->tensors);
}

std::vector<fs::path> list_model_folders(const fs::path& models_dir) {
    std::vector<fs::path> models;
    for (const fs::path& strategy : visible_folders(models_dir)) {
        for (const fs::path& folder : visible_folders(strategy)) {
            std::error_code none;
            if (fs::is_regular_file(folder / "metadata.json", none)) {
                models.push_back(folder);
            }
        }
    }
    std::ranges::sort(models, {}, rank);
    return models;
}

}  // namespace ktrdr
