#include "held_file.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

namespace ktrdr {
namespace {

/// Each range has so many bytes; a file is never as large as the first of them.
constexpr std::int64_t range_size = std::int64_t{1} << 60;

constexpr std::int64_t first_of(HeldFile::Range range) {
    return range_size * (2 + 2 * static_cast<std::int64_t>(range));
}

/// FNV-1a, 64 bits.
std::uint64_t spread(std::string_view text) {
    std::uint64_t sum = 14695981039346656037ULL;
    for (const char c : text) {
        sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    }
    return sum;
}

struct flock bytes(std::int64_t first, std::int64_t count, short kind) {
    struct flock range{};
    range.l_type = kind;
    range.l_whence = SEEK_SET;
    range.l_start = first;
    range.l_len = count;
    return range;
}

/// What of one file is open, and what may only be closed when none of it is.
struct Descriptors {
    std::set<int> open{};
    std::vector<int> closing{};
};

struct HeldFiles {
    std::mutex mutex{};
    std::map<FileId, Descriptors> by_id{};
};

/// The locks are shared with a forked child, and would outlive a dead parent in it.
void let_go_in_child(HeldFiles& all) {
    for (auto& [id, descriptors] : all.by_id) {
        for (const int descriptor : descriptors.open) {
            ::close(descriptor);
        }
        for (const int descriptor : descriptors.closing) {
            ::close(descriptor);
        }
    }
    all.by_id.clear();
}

/// Never destroyed: a fork may come at any time.
HeldFiles& held_files() {
    static auto* const all = [] {
        pthread_atfork([] { held_files().mutex.lock(); }, [] { held_files().mutex.unlock(); },
                       [] {
                           let_go_in_child(held_files());
                           held_files().mutex.unlock();
                       });
        return new HeldFiles;
    }();
    return *all;
}

}  // namespace

Result<std::shared_ptr<HeldFile>> HeldFile::open(const std::filesystem::path& file, FileAccess access) {
    const std::scoped_lock lock(held_files().mutex);
    const auto descriptor = open_plain_file(file, access);
    if (!descriptor) {
        return descriptor.error();
    }
    const FileId id = file_id(*descriptor);
    held_files().by_id[id].open.insert(*descriptor);
    return std::shared_ptr<HeldFile>(new HeldFile(*descriptor, id, file));
}

HeldFile::HeldFile(int descriptor, FileId id, std::filesystem::path file)
    : descriptor_(descriptor), id_(id), file_(std::move(file)) {}

HeldFile::~HeldFile() {
    const std::scoped_lock lock(held_files().mutex);
    const auto found = held_files().by_id.find(id_);
    if (found == held_files().by_id.end() || found->second.open.erase(descriptor_) == 0) {
        return;  // A forked child has let go already.
    }
    // The locks go now, whenever the descriptor does.
    auto all = bytes(first_of(Range::owners), 0, F_UNLCK);
    (void)::fcntl(descriptor_, F_OFD_SETLK, &all);
    found->second.closing.push_back(descriptor_);
    if (found->second.open.empty()) {
        for (const int descriptor : found->second.closing) {
            ::close(descriptor);
        }
        held_files().by_id.erase(found);
    }
}

std::int64_t HeldFile::byte_of(Range range, std::string_view name) noexcept {
    return first_of(range) + static_cast<std::int64_t>(spread(name) % static_cast<std::uint64_t>(range_size));
}

Result<bool> HeldFile::lock(std::int64_t byte, bool shared) {
    return lock_bytes(bytes(byte, 1, shared ? F_RDLCK : F_WRLCK));
}

Result<bool> HeldFile::lock_bytes(struct flock range) const {
    if (::fcntl(descriptor_, F_OFD_SETLK, &range) == 0) {
        return true;
    }
    if (errno == EAGAIN || errno == EACCES) {
        return false;
    }
    return file_error("lock", file_, errno, "put it on a file system with locks");
}

void HeldFile::unlock(std::int64_t byte) {
    auto range = bytes(byte, 1, F_UNLCK);
    (void)::fcntl(descriptor_, F_OFD_SETLK, &range);
}

Result<bool> HeldFile::hold_run(std::int64_t first, std::int64_t last) {
    const std::scoped_lock lock(runs_mutex_);
    const auto next = runs_.lower_bound(last);
    if (next != runs_.begin() && std::prev(next)->second > first) {
        return false;
    }
    const auto locked = lock_bytes(bytes(first_of(Range::leases) + first, last - first, F_WRLCK));
    if (locked && *locked) {
        runs_.emplace(first, last);
    }
    return locked;
}

void HeldFile::let_go_of_run(std::int64_t first, std::int64_t last) {
    const std::scoped_lock lock(runs_mutex_);
    runs_.erase(first);
    auto range = bytes(first_of(Range::leases) + first, last - first, F_UNLCK);
    (void)::fcntl(descriptor_, F_OFD_SETLK, &range);
}

std::optional<bool> HeldFile::held_within(std::int64_t first, std::int64_t count) const {
    if (count == 0) {
        return false;
    }
    auto range = bytes(first, count, F_WRLCK);
    if (::fcntl(descriptor_, F_OFD_GETLK, &range) != 0) {
        return std::nullopt;
    }
    return range.l_type != F_UNLCK;
}

std::optional<bool> HeldFile::others_hold(std::int64_t byte) const {
    return held_within(byte, 1);
}

std::optional<bool> HeldFile::others_hold_beside(Range range, std::int64_t byte) const {
    const std::int64_t first = first_of(range);
    const auto before = held_within(first, byte - first);
    return before && !*before ? held_within(byte + 1, first + range_size - byte - 1) : before;
}

}  // namespace ktrdr
