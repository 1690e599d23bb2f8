#include <ktrdr/market/bars.hpp>

#include <fmt/format.h>

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

void append_row(Bars& out, const Bars& from, std::size_t row) {
    out.push_back(from.time[row], from.open[row], from.high[row], from.low[row], from.close[row], from.volume[row]);
}

/// A fault for each 4 KiB that is written first takes as long as to fill them; large pages have one for 2 MiB.
template <class Number>
void by_large_pages([[maybe_unused]] std::vector<Number>& column) {
#if defined(MADV_HUGEPAGE)
    constexpr std::uintptr_t large = std::uintptr_t{2} << 20;
    const auto begin = reinterpret_cast<std::uintptr_t>(column.data());
    const std::uintptr_t first = (begin + large - 1) / large * large;
    const std::uintptr_t last = (begin + column.capacity() * sizeof(Number)) / large * large;
    if (first < last) {
        // Where the system has none, pages stay small.
        (void)::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
    }
#endif
}

}  // namespace

void Bars::reserve(std::size_t count) {
    time.reserve(count);
    by_large_pages(time);
    for (auto* column : {&open, &high, &low, &close, &volume}) {
        column->reserve(count);
        by_large_pages(*column);
    }
}

void Bars::push_back(std::int64_t stamp, double o, double h, double l, double c, double v) {
    time.push_back(stamp);
    open.push_back(o);
    high.push_back(h);
    low.push_back(l);
    close.push_back(c);
    volume.push_back(v);
}

std::size_t Bars::row_from(UtcTime when) const {
    const auto found = std::lower_bound(time.begin(), time.end(), when.time_since_epoch().count());
    return static_cast<std::size_t>(found - time.begin());
}

Bars Bars::slice(TimeRange range) const {
    const std::size_t first = row_from(range.start);
    return rows(first, std::max(first, row_from(range.end)));
}

Bars Bars::rows(std::size_t first, std::size_t last) const {
    last = std::min(last, size());
    first = std::min(first, last);
    const auto cut = [first, last](const auto& column) {
        using Column = std::decay_t<decltype(column)>;
        return Column(column.begin() + static_cast<std::ptrdiff_t>(first),
                      column.begin() + static_cast<std::ptrdiff_t>(last));
    };
    return Bars{{}, cut(time), cut(open), cut(high), cut(low), cut(close), cut(volume)};
}

Result<void> Bars::check_lengths() const {
    struct Column {
        const char* name;
        std::size_t length;
    };
    const std::array columns{Column{"open", open.size()}, Column{"high", high.size()}, Column{"low", low.size()},
                             Column{"close", close.size()}, Column{"volume", volume.size()}};
    for (const Column& column : columns) {
        if (column.length != size()) {
            return fail(Errc::invalid_argument,
                        fmt::format("column {} has {} rows, time has {}: give every column the same length",
                                    column.name, column.length, size()),
                        {{"column", column.name}, {"row", std::min(column.length, size())}});
        }
    }
    return {};
}

Result<void> Bars::check() const {
    if (const auto checked = check_lengths(); !checked) {
        return checked;
    }
    const auto wrong = std::adjacent_find(time.begin(), time.end(), std::greater_equal<>());
    if (wrong != time.end()) {
        const auto row = static_cast<std::size_t>(wrong - time.begin()) + 1;
        return fail(Errc::invalid_argument,
                    fmt::format("row {} is stamped {}, not after the row before it: sort the bars and drop duplicates",
                                row, format_time(start_of(row))),
                    {{"row", row}});
    }
    return {};
}

Bars merge(const Bars& older, const Bars& newer) {
    if (older.empty() || newer.empty()) {
        return older.empty() ? newer : older;
    }
    Bars out;
    out.reserve(older.size() + newer.size());
    std::size_t old_row = 0;
    std::size_t new_row = 0;
    while (old_row < older.size() || new_row < newer.size()) {
        if (new_row == newer.size() || (old_row < older.size() && older.time[old_row] < newer.time[new_row])) {
            append_row(out, older, old_row++);
            continue;
        }
        if (old_row < older.size() && older.time[old_row] == newer.time[new_row]) {
            ++old_row;
        }
        append_row(out, newer, new_row++);
    }
    return out;
}

}  // namespace ktrdr
