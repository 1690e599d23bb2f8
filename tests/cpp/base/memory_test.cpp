#include <ktrdr/base/memory.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <vector>

#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

struct MemoryOfMachine : ::testing::Test {
    test::TemporaryFolder folder{};

    void write(const std::string& path, const std::string& content) {
        const std::filesystem::path file = folder.path() / path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << content;
    }
    std::optional<std::uint64_t> allowed() { return allowed_memory(folder.path()); }
};

TEST_F(MemoryOfMachine, IsUnknownWhereNobodySays) {
    EXPECT_FALSE(allowed());
    EXPECT_FALSE(peak_memory(folder.path()));
}

TEST_F(MemoryOfMachine, IsTheMachinesWithoutAGroup) {
    write("proc/meminfo", "MemTotal:       1000 kB\nMemFree:  10 kB\n");
    EXPECT_EQ(allowed(), 1'024'000U);
}

TEST_F(MemoryOfMachine, IsTheLeastOfAGroupAndThoseAboveIt) {
    write("proc/meminfo", "MemTotal:       1000 kB\n");
    write("proc/self/cgroup", "0::/a/b\n");
    write("sys/fs/cgroup/a/b/memory.max", "max\n");
    EXPECT_EQ(allowed(), 1'024'000U);
    write("sys/fs/cgroup/a/memory.max", "5000\n");
    EXPECT_EQ(allowed(), 5000U);
    write("sys/fs/cgroup/memory.max", "4000\n");
    EXPECT_EQ(allowed(), 4000U);
}

TEST_F(MemoryOfMachine, IsReadOfGroupsOfTheFirstVersionToo) {
    write("proc/meminfo", "MemTotal:       1000 kB\n");
    write("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/one\n");
    write("sys/fs/cgroup/memory/one/memory.limit_in_bytes", "9223372036854771712\n");
    EXPECT_EQ(allowed(), 1'024'000U);
    write("sys/fs/cgroup/memory/one/memory.limit_in_bytes", "7000\n");
    EXPECT_EQ(allowed(), 7000U);
}

TEST(PeakMemory, RisesWithWhatIsHeldAndDoesNotFall) {
    const std::uint64_t before = peak_memory().value();
    constexpr std::size_t size = 200'000'000;
    {
        std::vector<char> held(size);
        std::memset(held.data(), 1, size);
        EXPECT_EQ(held[size / 2], 1);
    }
    EXPECT_GE(peak_memory().value(), before);
    EXPECT_GE(peak_memory().value(), size);
    EXPECT_GE(allowed_memory().value(), peak_memory().value());
}

TEST(MemoryText, IsInMegabytesRoundedUp) {
    EXPECT_EQ(memory_text(0), "0 MB");
    EXPECT_EQ(memory_text(1), "1 MB");
    EXPECT_EQ(memory_text(1'000'000), "1 MB");
    EXPECT_EQ(memory_text(12'345'600'000), "12,346 MB");
    EXPECT_EQ(memory_text(1'234'000'000'000), "1,234,000 MB");
}

}  // namespace
}  // namespace ktrdr
