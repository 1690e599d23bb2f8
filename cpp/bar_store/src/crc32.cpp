#include "crc32.hpp"

#include <zlib.h>

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace ktrdr {
namespace {

#if defined(__x86_64__)

constexpr std::size_t block = sizeof(__m128i);
/// So many blocks are folded beside each other: a product is begun before the one before it is there.
constexpr std::size_t lanes = 4;

/// x^power modulo CRC-32's polynomial, its bits in the reversed order of the sum, and one place up, as products of
/// reversed numbers come out one place down.
constexpr long long remainder_of_x(int power) {
    constexpr std::uint32_t polynomial = 0xEDB88320;
    std::uint32_t remainder = 0x80000000;
    for (; power > 0; --power) {
        remainder = (remainder >> 1U) ^ ((remainder & 1U) != 0 ? polynomial : 0);
    }
    return static_cast<long long>(std::uint64_t{remainder} << 1U);
}

/// What a block is multiplied by to stand `bits` further on: its first half, then its second.
struct Fold {
    long long first;
    long long second;
};
constexpr Fold fold_by(int bits) {
    return {remainder_of_x(bits + 32), remainder_of_x(bits - 32)};
}

__m128i load(const unsigned char* bytes) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
}

__attribute__((target("pclmul"))) __m128i folded(__m128i value, __m128i by) {
    return _mm_xor_si128(_mm_clmulepi64_si128(value, by, 0x00), _mm_clmulepi64_si128(value, by, 0x11));
}

/// The way of Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel,
/// 2009): what was read stays 16 bytes, with the sum of all of it. Those are summed in the end by zlib.
/// `size` is a multiple of 64, and at least that.
__attribute__((target("pclmul"))) std::uint32_t folded_sum(std::uint32_t sum, const unsigned char* bytes,
                                                           std::size_t size) {
    constexpr Fold far = fold_by(lanes * block * 8);
    constexpr Fold near = fold_by(block * 8);
    __m128i state[lanes]{load(bytes), load(bytes + block), load(bytes + 2 * block), load(bytes + 3 * block)};
    // The register is the inverted sum.
    state[0] = _mm_xor_si128(state[0], _mm_cvtsi32_si128(static_cast<int>(~sum)));
    const __m128i by_far = _mm_set_epi64x(far.second, far.first);
    for (std::size_t at = lanes * block; at < size; at += lanes * block) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            state[lane] = _mm_xor_si128(folded(state[lane], by_far), load(bytes + at + lane * block));
        }
    }
    const __m128i by_near = _mm_set_epi64x(near.second, near.first);
    __m128i one = state[0];
    for (std::size_t lane = 1; lane < lanes; ++lane) {
        one = _mm_xor_si128(folded(one, by_near), state[lane]);
    }
    std::array<unsigned char, block> rest{};
    _mm_storeu_si128(reinterpret_cast<__m128i*>(rest.data()), one);
    constexpr std::uint32_t empty_register = 0xFFFFFFFF;
    return static_cast<std::uint32_t>(crc32_z(empty_register, rest.data(), rest.size()));
}

#endif

}  // namespace

std::uint32_t crc32_of(std::uint32_t sum, const unsigned char* bytes, std::size_t size) {
#if defined(__x86_64__)
    static const bool can_fold = __builtin_cpu_supports("pclmul") != 0;
    const std::size_t whole = size - size % (lanes * block);
    if (can_fold && whole > 0) {
        sum = folded_sum(sum, bytes, whole);
        bytes += whole;
        size -= whole;
    }
#endif
    return static_cast<std::uint32_t>(crc32_z(sum, bytes, size));
}

}  // namespace ktrdr
