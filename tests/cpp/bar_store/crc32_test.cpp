#include "../../../cpp/bar_store/src/crc32.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <vector>

namespace ktrdr {
namespace {

std::vector<unsigned char> random_bytes(std::size_t size) {
    std::mt19937_64 random(size);
    std::vector<unsigned char> bytes(size);
    for (unsigned char& byte : bytes) {
        byte = static_cast<unsigned char>(random());
    }
    return bytes;
}

TEST(Crc32, IsThatOfTheStandardsExample) {
    constexpr std::uint32_t of_nine_digits = 0xCBF43926;
    EXPECT_EQ(crc32_of(0, reinterpret_cast<const unsigned char*>("123456789"), 9), of_nine_digits);
}

TEST(Crc32, IsZlibsForEveryLengthAndPlace) {
    const auto bytes = random_bytes(1024);
    for (std::size_t first = 0; first < 17; ++first) {
        for (std::size_t size = 0; size <= 600; ++size) {
            ASSERT_EQ(crc32_of(0, bytes.data() + first, size), crc32_z(0, bytes.data() + first, size))
                << first << " " << size;
        }
    }
}

TEST(Crc32, GoesOnFromTheSumOfWhatCameBefore) {
    const auto bytes = random_bytes(8192);
    std::mt19937_64 random(2);
    for (int i = 0; i < 1000; ++i) {
        const std::size_t cut = random() % bytes.size();
        const std::uint32_t before = crc32_of(0, bytes.data(), cut);
        ASSERT_EQ(crc32_of(before, bytes.data() + cut, bytes.size() - cut), crc32_z(0, bytes.data(), bytes.size()))
            << cut;
    }
}

TEST(Crc32, DiffersWhereOneBitDoes) {
    auto bytes = random_bytes(300);
    const std::uint32_t sum = crc32_of(0, bytes.data(), bytes.size());
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] ^ (1U << bit % 8));
        ASSERT_NE(crc32_of(0, bytes.data(), bytes.size()), sum) << bit;
        bytes[bit / 8] = static_cast<unsigned char>(bytes[bit / 8] ^ (1U << bit % 8));
    }
}

}  // namespace
}  // namespace ktrdr
