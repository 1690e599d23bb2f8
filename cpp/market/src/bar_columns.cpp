#include <ktrdr/market/bar_columns.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <ktrdr/base/text.hpp>
#include <ktrdr/market/time_text.hpp>

namespace ktrdr {
namespace {

constexpr std::array<std::string_view, bar_column_count> written_names{"timestamp", "open",  "high",
                                                                       "low",       "close", "volume"};

std::string folded(std::string_view name) {
    const auto space = [](char c) { return c == ' ' || c == '\t'; };
    while (!name.empty() && space(name.front())) {
        name.remove_prefix(1);
    }
    while (!name.empty() && space(name.back())) {
        name.remove_suffix(1);
    }
    return lower_ascii(name);
}

std::optional<BarColumn> column_named(std::string_view lower) {
    if (lower == "time" || lower == "date" || lower == "datetime") {
        return BarColumn::time;
    }
    if (lower == "vol") {
        return BarColumn::volume;
    }
    const auto found = std::find(written_names.begin(), written_names.end(), lower);
    return found == written_names.end() ? std::nullopt
                                        : std::optional(static_cast<BarColumn>(found - written_names.begin()));
}

Error bad_columns(std::string_view what, std::string_view column, const std::string& how) {
    return fail(Errc::invalid_argument, fmt::format("{}{}", what, how), {{"field", "columns"}, {"column", column}});
}

std::string listed(std::span<const std::string> names) {
    constexpr std::size_t most = 20;
    std::vector<std::string> shown;
    for (const std::string& name : names.first(std::min(names.size(), most))) {
        shown.push_back(name.substr(0, 32));
    }
    return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > most ? ", …" : "");
}

std::vector<double>& column_of(Bars& bars, BarColumn column) {
    const std::array columns{&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume};
    return *columns.at(static_cast<std::size_t>(column) - 1);
}

bool is_valid(const GivenValues& values, std::size_t index) {
    const std::size_t bit = values.valid_offset + index;
    return values.valid == nullptr || ((values.valid[bit / 8] >> (bit % 8)) & 1U) != 0;
}

template <class T>
T value_at(const GivenValues& values, std::size_t index) {
    T value;
    std::memcpy(&value, static_cast<const char*>(values.data) + values.stride * static_cast<std::ptrdiff_t>(index),
                sizeof(T));
    return value;
}

/// Call `visit` with a value of the type that these are of.
template <class Visit>
void with_type(GivenValues::Type type, Visit visit) {
    using Type = GivenValues::Type;
    switch (type) {
        case Type::int8: visit(std::int8_t{}); break;
        case Type::int16: visit(std::int16_t{}); break;
        case Type::int32: visit(std::int32_t{}); break;
        case Type::int64: visit(std::int64_t{}); break;
        case Type::uint8: visit(std::uint8_t{}); break;
        case Type::uint16: visit(std::uint16_t{}); break;
        case Type::uint32: visit(std::uint32_t{}); break;
        case Type::uint64: visit(std::uint64_t{}); break;
        case Type::float32: visit(float{}); break;
        case Type::float64: visit(double{}); break;
    }
}

std::int64_t nanos_in(StampUnit unit) {
    switch (unit) {
        case StampUnit::day: return 86'400'000'000'000;
        case StampUnit::second: return 1'000'000'000;
        case StampUnit::milli: return 1'000'000;
        case StampUnit::micro: return 1'000;
        case StampUnit::nano: break;
    }
    return 1;
}

Error bad_stamp(std::size_t row, const std::string& how) {
    return fail(Errc::invalid_argument, fmt::format("row {}, column timestamp: {}", row, how),
                {{"row", row}, {"column", "timestamp"}});
}

}  // namespace

std::string_view to_string(BarColumn column) noexcept {
    return written_names[static_cast<std::size_t>(column)];
}

Result<ColumnPlan> plan_columns(std::string_view what, std::span<const std::string> names) {
    ColumnPlan plan;
    std::array<std::string, bar_column_count> taken;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::string name = folded(names[i]);
        const auto column = column_named(name);
        if (!column) {
            plan.ignored.push_back(names[i]);
            continue;
        }
        const auto index = static_cast<std::size_t>(*column);
        if (!plan.at[index]) {
            plan.at[index] = i;
            taken[index] = name;
        } else if (*column == BarColumn::time && !plan.time_of_day && taken[0] == "date" && name == "time") {
            plan.time_of_day = i;
        } else if (*column == BarColumn::time && !plan.time_of_day && taken[0] == "time" && name == "date") {
            plan.time_of_day = std::exchange(plan.at[0], i);
        } else {
            return bad_columns(
                what, to_string(*column),
                fmt::format("columns {} and {} both say {}: keep one of them", taken[index], name, to_string(*column)));
        }
    }
    for (std::size_t i = 0; i < bar_column_count; ++i) {
        if (!plan.at[i] && static_cast<BarColumn>(i) != BarColumn::volume) {
            return bad_columns(
                what, written_names[i],
                fmt::format("there is no column {}{}; there are {}", written_names[i],
                            i == 0 ? " (nor time, date or datetime)" : "", names.empty() ? "none" : listed(names)));
        }
    }
    return plan;
}

Result<ColumnPlan> plan_frame(std::span<const std::string> names) {
    auto plan = plan_columns("the frame: ", names);
    if (plan && plan->time_of_day) {
        return bad_columns("", to_string(BarColumn::time),
                           "the frame has a column date and a column time: give one with both in it");
    }
    return plan;
}

void BarsBuilder::add_numbers(BarColumn column, const GivenValues& values) {
    std::vector<double>& to = column_of(bars_, column);
    const bool is_volume = column == BarColumn::volume;
    const std::size_t before = to.size();
    if (values.type == GivenValues::Type::float64 && values.stride == sizeof(double) &&
        reinterpret_cast<std::uintptr_t>(values.data) % alignof(double) == 0) {
        const auto* const from = static_cast<const double*>(values.data);
        to.insert(to.end(), from, from + values.count);
    } else {
        to.resize(before + values.count);
        with_type(values.type, [&]<class T>(T) {
            for (std::size_t i = 0; i < values.count; ++i) {
                to[before + i] = static_cast<double>(value_at<T>(values, i));
            }
        });
    }
    if (values.valid == nullptr && !is_volume) {
        return;
    }
    constexpr double no_number = std::numeric_limits<double>::quiet_NaN();
    for (std::size_t i = 0; i < values.count; ++i) {
        double& value = to[before + i];
        if (!is_valid(values, i)) {
            value = no_number;
        }
        if (is_volume && std::isnan(value)) {
            value = Bars::no_volume;
        }
    }
}

Result<void> BarsBuilder::add_stamps(StampUnit unit, const GivenValues& values, MissingStamp missing) {
    const std::int64_t scale = nanos_in(unit);
    const std::int64_t most = std::numeric_limits<std::int64_t>::max() / scale;
    const std::size_t before = bars_.time.size();
    bars_.time.resize(before + values.count);
    std::optional<Error> wrong;
    with_type(values.type, [&]<class T>(T) {
        if constexpr (std::is_integral_v<T>) {
            for (std::size_t i = 0; i < values.count && !wrong; ++i) {
                const auto value = static_cast<std::int64_t>(value_at<T>(values, i));
                const bool none = value == no_stamp || !is_valid(values, i);
                const bool outside = value > most || value < -most;
                if (missing == MissingStamp::kept && (none || outside)) {
                    bars_.time[before + i] = no_stamp;
                } else if (none) {
                    wrong = bad_stamp(before + i, "there is no stamp: drop the row or give it one");
                } else if (outside) {
                    wrong = bad_stamp(before + i, "the stamp lies outside of the years 1678 to 2261");
                } else {
                    bars_.time[before + i] = value * scale;
                }
            }
        } else {
            wrong = bad_stamp(before, "stamps cannot be fractions: give datetimes");
        }
    });
    return wrong ? Result<void>(*wrong) : Result<void>{};
}

Result<void> BarsBuilder::add_stamp_text(std::optional<std::string_view> text) {
    if (!text) {
        return bad_stamp(bars_.time.size(), "there is no stamp: drop the row or give it one");
    }
    const auto time = parse_time("stamp", *text);
    if (!time) {
        return bad_stamp(bars_.time.size(), time.error().message);
    }
    bars_.time.push_back(time->time_since_epoch().count());
    return {};
}

Result<Bars> BarsBuilder::finish() && {
    if (bars_.volume.empty()) {
        bars_.volume.assign(bars_.size(), Bars::no_volume);
    }
    if (const auto checked = bars_.check_lengths(); !checked) {
        return checked.error();
    }
    return std::move(bars_);
}

}  // namespace ktrdr
