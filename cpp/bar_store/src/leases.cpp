// Who asks a provider for which part of a series.

#include <chrono>
#include <string>
#include <string_view>

#include <ktrdr/bar_store/bar_store.hpp>

namespace ktrdr {
namespace {

/// Nanoseconds since 1970 are so many seconds, with those before it: 585 years.
constexpr int second_bits = 35;
constexpr std::uint64_t series_count = static_cast<std::uint64_t>(FileLease::count) >> second_bits;

/// FNV-1a, 64 bits. Two series of one number only wait for each other now and then.
std::uint64_t number_of(const SeriesKey& key) {
    std::uint64_t sum = 14695981039346656037ULL;
    const auto add = [&sum](std::string_view text) {
        for (const char c : text) {
            sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
        }
        sum = (sum ^ 0xFFU) * 1099511628211ULL;
    };
    for (const std::string_view text :
         {std::string_view(key.provider), std::string_view(key.symbol), key.timeframe.name(),
          std::string_view(key.what_to_show), std::string_view(key.session), std::string_view(key.asset_class),
          std::string_view(key.exchange), std::string_view(key.currency)}) {
        add(text);
    }
    return (sum ^ (sum >> 32U)) % series_count;
}

std::int64_t seconds_since_first(std::chrono::sys_seconds time) {
    return (time - std::chrono::floor<std::chrono::seconds>(UtcTime::min())).count();
}

}  // namespace

Result<std::unique_ptr<FileLease>> BarStore::lease(const SeriesKey& key, TimeRange range) {
    if (range.empty()) {
        return fail(Errc::invalid_argument, "a lease of an empty range");
    }
    const auto start = static_cast<std::int64_t>(number_of(key) << second_bits);
    return FileLease::take(
        *database_, start + seconds_since_first(std::chrono::floor<std::chrono::seconds>(range.start)),
        start + seconds_since_first(std::chrono::floor<std::chrono::seconds>(range.end - std::chrono::nanoseconds{1})) +
            1);
}

}  // namespace ktrdr
