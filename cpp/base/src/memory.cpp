#include <ktrdr/base/memory.hpp>

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string_view>

namespace ktrdr {
namespace {

namespace fs = std::filesystem;

/// The number in a text that begins with it, behind blanks.
std::optional<std::uint64_t> leading_number(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} ? std::optional(number) : std::nullopt;
}

/// `name:   1234 kB` of a file of `/proc`, in bytes.
std::optional<std::uint64_t> kilobytes_of(const fs::path& file, std::string_view name) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(name)) {
            const auto number = leading_number(std::string_view(line).substr(name.size()));
            return number ? std::optional(*number * 1024) : std::nullopt;
        }
    }
    return std::nullopt;
}

void keep_least(std::optional<std::uint64_t>& least, std::optional<std::uint64_t> other) {
    if (other && (!least || *other < *least)) {
        least = other;
    }
}

/// What a group and those above it allow, up to the mount; `max` and files that are not there allow all.
void keep_least_of_groups(std::optional<std::uint64_t>& least, const fs::path& mount, std::string_view group,
                          const char* file) {
    // A container may see its own group as the root: then the mount alone says it.
    fs::path inside = fs::path(group).relative_path();
    for (;;) {
        std::ifstream limit(mount / inside / file);
        if (std::string line; std::getline(limit, line)) {
            keep_least(least, leading_number(line));
        }
        if (inside.empty()) {
            return;
        }
        inside = inside.parent_path();
    }
}

}  // namespace

std::optional<std::uint64_t> allowed_memory(const fs::path& root) {
    auto least = kilobytes_of(root / "proc/meminfo", "MemTotal:");
    std::ifstream groups(root / "proc/self/cgroup");
    // `hierarchy:controllers:group`; version 2 has the hierarchy 0 and no controllers.
    for (std::string line; std::getline(groups, line);) {
        const std::string_view text = line;
        const std::size_t first = text.find(':');
        const std::size_t second = first == text.npos ? text.npos : text.find(':', first + 1);
        if (second == text.npos) {
            continue;
        }
        const std::string controllers = "," + std::string(text.substr(first + 1, second - first - 1)) + ",";
        const std::string_view group = text.substr(second + 1);
        if (controllers == ",,") {
            keep_least_of_groups(least, root / "sys/fs/cgroup", group, "memory.max");
        } else if (controllers.find(",memory,") != std::string::npos) {
            keep_least_of_groups(least, root / "sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
        }
    }
    return least;
}

std::optional<std::uint64_t> peak_memory(const fs::path& root) {
    return kilobytes_of(root / "proc/self/status", "VmHWM:");
}

std::string memory_text(std::uint64_t bytes) {
    constexpr std::uint64_t megabyte = 1'000'000;
    std::string digits = fmt::format("{}", bytes / megabyte + (bytes % megabyte == 0 ? 0 : 1));
    for (std::size_t place = digits.size(); place > 3; place -= 3) {
        digits.insert(place - 3, ",");
    }
    return digits + " MB";
}

void prefer_large_pages(void* memory, std::size_t bytes) noexcept {
#if defined(MADV_HUGEPAGE)
    // Of 2 MiB on most machines; where they are larger, less is covered and nothing is lost.
    constexpr std::uintptr_t page = std::uintptr_t{2} << 20U;
    const auto begin = reinterpret_cast<std::uintptr_t>(memory);
    const std::uintptr_t first = (begin + page - 1) / page * page;
    const std::uintptr_t last = (begin + bytes) / page * page;
    if (first < last) {
        // A wish: whatever the kernel says of it, the memory is there.
        static_cast<void>(::madvise(static_cast<char*>(memory) + (first - begin), last - first, MADV_HUGEPAGE));
    }
#else
    static_cast<void>(memory);
    static_cast<void>(bytes);
#endif
}

}  // namespace ktrdr
