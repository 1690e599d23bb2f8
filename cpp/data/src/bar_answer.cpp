#include "bar_answer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include <ktrdr/base/json.hpp>
#include <ktrdr/market/time_text.hpp>

#include "closed_rows.hpp"

namespace ktrdr {
namespace {

namespace json = boost::json;

UtcTime time_at(std::int64_t stamp) {
    return UtcTime{std::chrono::nanoseconds{stamp}};
}

TimeRange range_of(const BarsWanted& wanted) {
    return wanted.asked.empty() ? wanted.segment : wanted.asked;
}

/// Our service says which failure of its source it was, so that a load through it ends as one without.
Errc failure_of(const json::object& answer) {
    constexpr std::array told{Errc::service_connection, Errc::service_timeout, Errc::symbol_unknown,
                              Errc::configuration};
    const std::string_view code = text_or_empty(answer, "error_code");
    const auto* const found =
        std::find_if(told.begin(), told.end(), [code](Errc one) { return code == to_string(one); });
    return found == told.end() ? Errc::host_service : *found;
}

/// Providers that count backwards from the end of a range give the bar before it where it has none.
bool ends_just_before(UtcTime newest, const BarsWanted& wanted) {
    constexpr std::chrono::days longest_break{7};
    return newest < wanted.segment.start && wanted.segment.start - wanted.grid.end_of(newest) <= longest_break;
}

/// Errors: `protocol` where bars came, and none of the range that was asked for.
Result<void> check_range(UtcTime oldest, UtcTime newest, bool some, const BarsWanted& wanted,
                         const std::string& asked) {
    if (some || ends_just_before(newest, wanted)) {
        return {};
    }
    return broken_answer(asked, fmt::format("has bars from {} to {}, and none of the range that was asked for",
                                            format_time(oldest), format_time(newest)));
}

Result<void> check_whole(bool nothing, const std::string& partial, const std::string& asked) {
    if (nothing && !partial.empty()) {
        return broken_answer(asked, fmt::format("has no bars, and may not be whole: {}", partial));
    }
    return {};
}

Result<void> check_rows(const AnswerRows& rows, const BarsWanted& wanted, const std::string& asked) {
    if (rows.good.empty()) {
        return {};
    }
    const TimeRange range = range_of(wanted);
    const bool some = std::any_of(rows.good.begin(), rows.good.end(),
                                  [&](const AnswerRow& row) { return range.contains(time_at(row.stamp)); }) ||
                      std::any_of(rows.dropped.begin(), rows.dropped.end(),
                                  [&](const auto& row) { return range.contains(row.start); });
    return check_range(time_at(rows.good.front().stamp), time_at(rows.good.back().stamp), some, wanted, asked);
}

/// What is wrong with the places of rows, by their stamps, and with their volumes; nothing for nothing.
std::string to_mend(const AnswerRows& rows) {
    std::vector<std::int64_t> stamps(rows.good.size());
    std::transform(rows.good.begin(), rows.good.end(), stamps.begin(), [](const AnswerRow& row) { return row.stamp; });
    std::vector<std::string> wrong;
    if (!std::is_sorted(stamps.begin(), stamps.end())) {
        wrong.emplace_back("rows that were in no order are put in order");
        std::sort(stamps.begin(), stamps.end());
    }
    std::size_t repeated = 0;
    for (std::size_t i = 1; i < stamps.size(); ++i) {
        repeated += stamps[i] == stamps[i - 1] ? 1 : 0;
    }
    if (repeated > 0) {
        wrong.push_back(fmt::format("{} {} a stamp that came before, and the last of each is taken", repeated,
                                    repeated == 1 ? "row has" : "rows have"));
    }
    if (std::string odd = odd_volumes(rows.odd_volumes); !odd.empty()) {
        wrong.push_back(std::move(odd));
    }
    return fmt::format("{}", fmt::join(wrong, "; "));
}

SourceAnswer cut(AnswerRows rows, const BarsWanted& wanted) {
    const auto is_wanted = [&wanted](UtcTime start) {
        return wanted.segment.contains(start) && wanted.grid.may_be_closed(start, wanted.now);
    };
    SourceAnswer answer;
    Bars& bars = answer.bars;
    bars.reserve(rows.good.size());
    for (std::size_t i = 0; i < rows.good.size(); ++i) {
        const AnswerRow& row = rows.good[i];
        const bool last_of_its_stamp = i + 1 == rows.good.size() || rows.good[i + 1].stamp != row.stamp;
        if (last_of_its_stamp && is_wanted(time_at(row.stamp))) {
            const auto& [open, high, low, close, volume] = row.values;
            bars.push_back(row.stamp, open, high, low, close, volume);
        }
    }
    for (auto& row : rows.dropped) {
        const bool came_too =
            std::binary_search(bars.time.begin(), bars.time.end(), row.start.time_since_epoch().count());
        if (!came_too && is_wanted(row.start)) {
            answer.dropped.push_back(std::move(row));
        }
    }
    return answer;
}

}  // namespace

std::string no_price(std::string_view field) {
    return fmt::format("has no number `{}`", field);
}

std::string odd_volumes(std::size_t count) {
    if (count == 0) {
        return {};
    }
    return fmt::format("{} {} as not given (-1)", count,
                       count == 1 ? "volume is no number and counts" : "volumes are no numbers and count");
}

Error broken_answer(const std::string& asked, const std::string& how) {
    return fail(Errc::protocol, fmt::format("{}: the answer {}", asked, how), {{"asked", asked}});
}

Result<const json::object*> successful(const json::value& answer, const std::string& asked) {
    const json::object* const object = answer.if_object();
    if (object == nullptr) {
        return broken_answer(asked, "is not a JSON object");
    }
    const json::value* const success = object->if_contains("success");
    if (success == nullptr || !success->is_bool()) {
        return broken_answer(asked, "has no boolean `success`");
    }
    if (success->get_bool()) {
        return object;
    }
    std::string_view reason = text_or_empty(*object, "error");
    if (reason.empty()) {
        reason = text_or_empty(*object, "error_message");
    }
    Error failed =
        fail(failure_of(*object),
             fmt::format("{}: the service says: {}", asked, reason.empty() ? "failed, without a reason" : reason),
             {{"asked", asked}, {"reason", reason}});
    if (const std::string_view phase = text_or_empty(*object, "error_phase"); !phase.empty()) {
        failed.context["phase"] = phase.substr(0, 64);
    }
    return failed;
}

Result<void> check_kind(const json::object& answer, const SeriesKind& kind, const std::string& asked) {
    if (kind.usual() || (text_or_empty(answer, "what_to_show") == kind.what_to_show &&
                         text_or_empty(answer, "session") == kind.session)) {
        return {};
    }
    return broken_answer(asked,
                         fmt::format("does not say that its bars are {} of {} hours: the service may know the usual "
                                     "ones only; leave what_to_show and session out, or use one that knows them",
                                     kind.what_to_show, kind.session));
}

std::string shortfall(const json::object& answer, std::size_t came) {
    if (const std::string_view said = text_or_empty(answer, "error"); !said.empty()) {
        return fmt::format("the service says: {}", said);
    }
    const json::value* const told = answer.if_contains("rows");
    if (told != nullptr && told->is_int64() && told->get_int64() > static_cast<std::int64_t>(came)) {
        return fmt::format("the answer says that it has {} rows, and has {}", told->get_int64(), came);
    }
    return {};
}

Result<SourceAnswer> answer_of(AnswerRows rows, std::string partial, const BarsWanted& wanted,
                               const std::string& asked) {
    if (const auto whole = check_whole(rows.good.empty() && rows.dropped.empty(), partial, asked); !whole) {
        return whole.error();
    }
    std::string mended = to_mend(rows);
    std::stable_sort(rows.good.begin(), rows.good.end(),
                     [](const AnswerRow& a, const AnswerRow& b) { return a.stamp < b.stamp; });
    if (const auto checked = check_rows(rows, wanted, asked); !checked) {
        return checked.error();
    }
    SourceAnswer answer = cut(std::move(rows), wanted);
    answer.partial = std::move(partial);
    answer.mended = std::move(mended);
    return answer;
}

Result<SourceAnswer> answer_of(Bars bars, std::string partial, const BarsWanted& wanted, const std::string& asked) {
    if (const auto whole = check_whole(bars.empty(), partial, asked); !whole) {
        return whole.error();
    }
    SourceAnswer answer;
    answer.partial = std::move(partial);
    if (bars.empty()) {
        return answer;
    }
    const TimeRange all = range_of(wanted);
    const std::size_t first = bars.row_from(all.start);
    const std::size_t behind = bars.row_from(all.end);
    const auto checked = check_range(bars.start_of(0), bars.start_of(bars.size() - 1), first < behind, wanted, asked);
    if (!checked) {
        return checked.error();
    }
    const std::size_t begin = bars.row_from(wanted.segment.start);
    const std::size_t end = closed_rows(bars, begin, bars.row_from(wanted.segment.end), [&wanted](UtcTime start) {
        return wanted.grid.may_be_closed(start, wanted.now);
    });
    answer.bars = begin == 0 && end == bars.size() ? std::move(bars) : bars.rows(begin, end);
    return answer;
}

}  // namespace ktrdr
