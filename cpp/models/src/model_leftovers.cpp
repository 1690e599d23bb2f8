#include "model_leftovers.hpp"

#include <algorithm>
#include <system_error>
#include <vector>

#include "posix_folder.hpp"

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view mark = ".part";
constexpr std::size_t id_length = 36;

/// Whether a name is one that `temporary_name` gives: what others hid there is theirs.
bool is_temporary(const std::string& name) {
    if (name.size() != 1 + id_length + mark.size() || !name.starts_with('.') || !name.ends_with(mark)) {
        return false;
    }
    return std::ranges::all_of(name.substr(1, id_length),
                               [](char c) { return c == '-' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string temporary_name(const std::string& id) {
    return "." + id + std::string(mark);
}

void remove_leftovers_in(const fs::path& strategy) {
    std::vector<fs::path> found;
    std::error_code ignored;
    for (fs::directory_iterator entry(strategy, ignored), end; !ignored && entry != end; entry.increment(ignored)) {
        if (is_temporary(entry->path().filename().string())) {
            found.push_back(entry->path());
        }
    }
    for (const fs::path& path : found) {
        const auto folder = PosixFolder::open(path);
        // The lock is held until all of it is gone: who made the folder and has not locked it yet finds it taken.
        if (folder && folder->try_lock() == FolderLock::held) {
            fs::remove_all(path, ignored);
        }
    }
    if (!found.empty()) {
        // The call refuses a folder with content.
        fs::remove(strategy, ignored);
    }
}

}  // namespace ktrdr
