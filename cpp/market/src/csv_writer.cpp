#include <ktrdr/market/csv_writer.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include <ktrdr/market/bar_columns.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

constexpr std::int64_t second_nanos = 1'000'000'000;
constexpr std::int64_t day_seconds = 86'400;
/// More than the longest stamp and five of the longest numbers.
constexpr std::size_t longest_row = 256;

char* put(char* to, std::string_view text) {
    std::memcpy(to, text.data(), text.size());
    return to + text.size();
}

char* put_two(char* to, std::int64_t number) {
    to[0] = static_cast<char>('0' + number / 10);
    to[1] = static_cast<char>('0' + number % 10);
    return to + 2;
}

/// Writes stamps; most rows share the day of the row before.
class StampWriter final {
public:
    char* write(char* to, std::int64_t stamp) {
        const std::int64_t seconds = stamp / second_nanos - (stamp % second_nanos < 0 ? 1 : 0);
        const std::int64_t day = seconds / day_seconds - (seconds % day_seconds < 0 ? 1 : 0);
        if (day != day_) {
            day_ = day;
            text_ = format_date(UtcTime{std::chrono::days{day}}) + "T";
        }
        const std::int64_t time = seconds - day * day_seconds;
        to = put(to, text_);
        to = put_two(to, time / 3600);
        *to++ = ':';
        to = put_two(to, time / 60 % 60);
        *to++ = ':';
        to = put_two(to, time % 60);
        to = put_fraction(to, stamp - seconds * second_nanos);
        *to++ = 'Z';
        return to;
    }

private:
    /// Three, six or nine digits, as many as it needs.
    static char* put_fraction(char* to, std::int64_t nanos) {
        if (nanos == 0) {
            return to;
        }
        int digits = 9;
        while (nanos % 1000 == 0) {
            nanos /= 1000;
            digits -= 3;
        }
        *to++ = '.';
        for (int place = digits; place-- > 0;) {
            to[place] = static_cast<char>('0' + nanos % 10);
            nanos /= 10;
        }
        return to + digits;
    }

    std::int64_t day_{std::numeric_limits<std::int64_t>::min()};
    std::string text_{};
};

/// Whole `units` of a hundred thousandth, without the zeros at the end.
char* put_decimal(char* to, std::int64_t units, bool without_point) {
    constexpr std::int64_t scale = 100'000;
    if (units < 0) {
        *to++ = '-';
        units = -units;
    }
    to = std::to_chars(to, to + 20, units / scale).ptr;
    std::int64_t fraction = units % scale;
    if (fraction == 0) {
        return without_point ? to : put(to, ".0");
    }
    int digits = 5;
    while (fraction % 10 == 0) {
        fraction /= 10;
        --digits;
    }
    *to++ = '.';
    for (int place = digits; place-- > 0;) {
        to[place] = static_cast<char>('0' + fraction % 10);
        fraction /= 10;
    }
    return to + digits;
}

/// Any double as Python's `repr` has it: the shortest digits that mean it, with an exponent below 1e-4 and from 1e16
/// on.
char* put_shortest(char* to, double value, bool without_point) {
    const double size = std::fabs(value);
    const bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
    char* const end =
        std::to_chars(to, to + 40, value, plain ? std::chars_format::fixed : std::chars_format::scientific).ptr;
    const bool whole = plain && std::find(to, end, '.') == end;
    return whole && !without_point ? put(end, ".0") : end;
}

char* put_number(char* to, double value, bool without_point) {
    // Fifteen digits are never two texts for one double: what divides back to it is the shortest.
    constexpr double scale = 1e5;
    constexpr double most = 1e15;
    const double units = value * scale;
    if (std::fabs(units) < most) {
        const auto whole = static_cast<std::int64_t>(units + (units < 0 ? -0.5 : 0.5));
        if (whole != 0 && static_cast<double>(whole) / scale == value) {
            // Below 1e-4 it would have an exponent.
            constexpr std::int64_t least = 10;
            if (whole >= least || whole <= -least) {
                return put_decimal(to, whole, without_point);
            }
        }
    }
    return put_shortest(to, value, without_point);
}

}  // namespace

void append_csv_header(std::string& text) {
    for (std::size_t i = 0; i < bar_column_count; ++i) {
        text += i == 0 ? "" : ",";
        text += to_string(static_cast<BarColumn>(i));
    }
    text += '\n';
}

void append_csv_rows(std::string& text, const Bars& bars, std::size_t first, std::size_t last, const CsvStyle& style) {
    StampWriter stamps;
    std::array<char, longest_row> line{};
    const std::array columns{bars.open.data(), bars.high.data(), bars.low.data(), bars.close.data()};
    for (std::size_t row = first; row < last; ++row) {
        char* end = stamps.write(line.data(), bars.time[row]);
        for (std::size_t i = 0; i < columns.size(); ++i) {
            *end++ = ',';
            end = put_number(end, columns.at(i)[row], style.without_point.at(i));
        }
        *end++ = ',';
        const double volume = bars.volume[row];
        if (volume != Bars::no_volume || style.minus_one) {
            end = put_number(end, volume, style.without_point.back());
        }
        *end++ = '\n';
        text.append(line.data(), end);
    }
}

}  // namespace ktrdr
