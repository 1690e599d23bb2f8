// From complete series bars are taken away; exactly those are found.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>

#include <ktrdr/quality/gaps.hpp>

#include "soak.hpp"
#include "synthetic.hpp"

namespace ktrdr {
namespace {

using std::chrono::days;

struct Market {
    std::string_view calendar;
    GridOptions options;
};

const Market& market_of(std::size_t which) {
    static const std::vector<Market> markets{
        {"XNYS", {.provider = "IB"}},        {"XNYS", {.cut = BarCut::from_open}},
        {"XNYS", {.cut = BarCut::clock}},    {"FOREX", {.provider = "IB", .asset_class = "forex"}},
        {"FOREX", {.asset_class = "forex"}}, {"CRYPTO", {.asset_class = "crypto"}},
    };
    return markets[which % markets.size()];
}

/// A complete series, and what is to be taken from it.
struct Case {
    BarGrid grid;
    SessionCalendarPtr calendar;
    TimeRange range;
    std::vector<UtcTime> stamps;
    std::vector<bool> gone;
};

std::size_t upto(std::mt19937& random, std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
}

Case make_case(std::mt19937& random, std::size_t number) {
    const Market& market = market_of(number);
    const auto names = Timeframe::names();
    const std::string_view timeframe = names[number / 6 % names.size()];
    const auto calendar = test::shipped(market.calendar);
    const BarGrid grid = test::grid(timeframe, calendar, market.options);
    // Weeks of minutes, years of days, decades of months.
    const auto length = std::max<std::int64_t>(12, grid.timeframe().shortest() / std::chrono::minutes{1} * 4000 / 1440);
    const auto span = days{std::min<std::int64_t>(length, 7300)};
    const UtcTime first = test::at_day(1991, static_cast<int>(upto(random, 10000)));
    const TimeRange range{first, first + span};
    auto stamps = grid.expected(range).value();
    std::vector<bool> gone(stamps.size(), false);
    return {grid, calendar, range, std::move(stamps), std::move(gone)};
}

void take(Case& one, TimeRange range) {
    for (std::size_t i = 0; i < one.stamps.size(); ++i) {
        one.gone[i] = one.gone[i] || range.contains(one.stamps[i]);
    }
}

TimeRange day_of(const Session& session) {
    return {std::min(session.open(), UtcTime{session.date}),
            std::max(session.close(), UtcTime{session.date + days{1}})};
}

void take_sessions(Case& one, std::mt19937& random, const std::function<bool(std::size_t)>& fits) {
    const auto sessions = one.calendar->sessions();
    for (std::size_t i = 1; i + 1 < sessions.size(); ++i) {
        if (one.range.contains(sessions[i].open()) && fits(i) && upto(random, 2) == 0) {
            take(one, day_of(sessions[i]));
        }
    }
}

void take_away(Case& one, std::mt19937& random) {
    if (one.stamps.empty()) {
        return;
    }
    const auto sessions = one.calendar->sessions();
    const UtcTime somewhere = one.stamps[upto(random, one.stamps.size() - 1)];
    switch (upto(random, 6)) {
        case 0:
            for (std::size_t count = upto(random, 20); count > 0; --count) {
                one.gone[upto(random, one.stamps.size() - 1)] = true;
            }
            break;
        case 1: {
            const std::size_t first = upto(random, one.stamps.size() - 1);
            const std::size_t count = std::min(upto(random, 500), one.stamps.size() - first);
            std::fill_n(one.gone.begin() + static_cast<std::ptrdiff_t>(first), count, true);
            break;
        }
        case 2: take(one, {somewhere, somewhere + days{1}}); break;
        case 3: take(one, {somewhere, somewhere + days{7}}); break;
        case 4: take_sessions(one, random, [sessions](std::size_t i) { return sessions[i].early_close; }); break;
        case 5:
            take_sessions(one, random, [sessions](std::size_t i) {
                return sessions[i + 1].date - sessions[i].date > days{1} ||
                       sessions[i].date - sessions[i - 1].date > days{1};
            });
            break;
        default: break;
    }
}

std::vector<Evidence> random_ledger(const Case& one, std::mt19937& random) {
    std::vector<Evidence> ledger;
    for (std::size_t count = upto(random, 6); count > 0; --count) {
        const auto span = one.range.end - one.range.start;
        const UtcTime start = one.range.start + span / 1000 * static_cast<int>(upto(random, 1000));
        ledger.push_back({{start, start + span / 100 * static_cast<int>(upto(random, 30))},
                          static_cast<EvidenceKind>(upto(random, 4)),
                          at("2024-01-01") + days{upto(random, 300)} + std::chrono::seconds{count}});
    }
    return ledger;
}

/// Looked for the slow way.
GapClass class_at(UtcTime stamp, const std::vector<Evidence>& ledger) {
    const Evidence* best = nullptr;
    const auto rank = [](const Evidence& answer) {
        return std::pair(answer.kind != EvidenceKind::failed && answer.kind != EvidenceKind::denied, answer.asked_at);
    };
    for (const Evidence& answer : ledger) {
        if (answer.range.contains(stamp) && (best == nullptr || rank(*best) < rank(answer))) {
            best = &answer;
        }
    }
    if (best == nullptr || best->kind == EvidenceKind::bars || best->kind == EvidenceKind::unconfirmed) {
        return GapClass::unknown;
    }
    return best->kind == EvidenceKind::empty ? GapClass::provider_empty : GapClass::failed;
}

void expect_exactly(const Case& one, const Bars& bars, const GapReport& report, const std::vector<Evidence>& ledger) {
    std::map<UtcTime, GapClass> found;
    for (const Gap& gap : report.gaps) {
        std::size_t inside = 0;
        for (auto stamp = std::lower_bound(one.stamps.begin(), one.stamps.end(), gap.range.start);
             stamp != one.stamps.end() && *stamp < gap.range.end; ++stamp) {
            EXPECT_TRUE(found.emplace(*stamp, gap.kind).second);
            ++inside;
        }
        EXPECT_EQ(inside, gap.bars) << format_time(gap.range.start) << " " << to_string(gap.kind);
        EXPECT_FALSE(gap.evidence.empty());
        EXPECT_TRUE(gap.index == bars.size() || bars.start_of(gap.index) >= gap.range.end) << gap.index;
        EXPECT_TRUE(gap.index == 0 || bars.start_of(gap.index - 1) < gap.range.start) << gap.index;
    }
    std::map<UtcTime, GapClass> gone;
    for (std::size_t i = 0; i < one.stamps.size(); ++i) {
        if (one.gone[i]) {
            gone.emplace(one.stamps[i], class_at(one.stamps[i], ledger));
        }
    }
    EXPECT_EQ(found, gone);
    EXPECT_EQ(report.expected, one.stamps.size());
    EXPECT_EQ(report.present, bars.size());
    EXPECT_EQ(report.absent(), gone.size());
}

TEST(GapsAtRandom, AreExactlyTheBarsThatWereTakenAway) {
    const int count = soak_count(600, 12000);
    for (int number = 0; number < count; ++number) {
        std::mt19937 random(static_cast<unsigned>(number));
        Case one = make_case(random, static_cast<std::size_t>(number));
        for (std::size_t times = upto(random, 3); times > 0; --times) {
            take_away(one, random);
        }
        const auto ledger = random_ledger(one, random);
        const Bars bars = test::without(test::walk(one.stamps), one.gone);
        const GapReport report = find_gaps(bars, one.grid, one.range, ledger).value();
        expect_exactly(one, bars, report, ledger);
        ASSERT_FALSE(testing::Test::HasFailure()) << "case " << number << ": " << one.grid.timeframe().name() << " "
                                                  << one.calendar->name() << " " << format_time(one.range.start);
    }
}

}  // namespace
}  // namespace ktrdr
