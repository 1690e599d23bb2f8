#include "random_walk_bars.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>

#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/cancellation/work_check.hpp>

namespace ktrdr {
namespace {

/// Uniform in (0, 1), alike on every machine.
double uniform(std::mt19937_64& random) {
    return (static_cast<double>(random() >> 11) + 0.5) / 9007199254740992.0;
}

double normal(std::mt19937_64& random) {
    const double radius = std::sqrt(-2 * std::log(uniform(random)));
    return radius * std::cos(2 * std::numbers::pi * uniform(random));
}

std::uint64_t seed_of(const std::string& symbol) {
    std::uint64_t sum = 14695981039346656037u;
    for (const char c : symbol) {
        sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211u;
    }
    return sum;
}

}  // namespace

/// Where the walk of a symbol stands, by place: how many bars of its clock have ended.
struct RandomWalkBars::Walk {
    std::mt19937_64 random;
    bool by_ratio{true};
    double begin{0};
    double step{0};
    /// When the bars of the first timeframe end.
    std::vector<std::int64_t> clock{};
    std::map<double, double> known{{0, 0}};

    explicit Walk(const std::string& symbol) : random(seed_of(symbol)) {}

    Result<void> measure(const Bars& real, const BarGrid& grid, WorkPieces& pieces) {
        by_ratio = std::ranges::all_of(real.close, [](double price) { return !(price <= 0); });
        std::vector<double> closes;
        std::ranges::copy_if(real.close, std::back_inserter(closes), [](double price) { return std::isfinite(price); });
        double squares = 0;
        for (std::size_t i = 1; i < closes.size(); ++i) {
            const double change = by_ratio ? std::log(closes[i] / closes[i - 1]) : closes[i] - closes[i - 1];
            squares += change * change;
        }
        begin = closes.empty() ? 1 : closes.front();
        step = closes.size() < 2 ? 0 : std::sqrt(squares / static_cast<double>(closes.size() - 1));
        clock.reserve(real.size());
        for (std::size_t bar = 0; bar < real.size(); ++bar) {
            if (pieces.is_due()) {
                if (auto go = pieces.check(); !go) {
                    return go;
                }
            }
            clock.push_back(grid.end_of(real.start_of(bar)).time_since_epoch().count());
        }
        return {};
    }

    /// A time's place, between whole ones where it lies inside a bar; as a bar's mean length has it outside of all.
    [[nodiscard]] double place_of(UtcTime time) const {
        const std::int64_t when = time.time_since_epoch().count();
        const auto after = std::ranges::lower_bound(clock, when);
        const auto index = static_cast<double>(after - clock.begin());
        if (after != clock.end() && after != clock.begin()) {
            const auto before = after - 1;
            return index - static_cast<double>(*after - when) / static_cast<double>(*after - *before);
        }
        const auto count = static_cast<double>(clock.size());
        const double length =
            clock.size() < 2 ? 8.64e13 : static_cast<double>(clock.back() - clock.front()) / (count - 1);
        return after == clock.begin() ? -static_cast<double>(clock.front() - when) / length
                                      : count - 1 + static_cast<double>(when - clock.back()) / length;
    }

    /// Steps so far at a place; between known ones by a Brownian bridge.
    double steps_at(double place) {
        const auto after = known.lower_bound(place);
        if (after != known.end() && after->first == place) {
            return after->second;
        }
        double value = 0;
        if (after == known.end()) {
            const auto last = std::prev(after);
            value = last->second + std::sqrt(place - last->first) * normal(random);
        } else if (after == known.begin()) {
            value = after->second + std::sqrt(after->first - place) * normal(random);
        } else {
            const auto before = std::prev(after);
            const double whole = after->first - before->first;
            const double part = place - before->first;
            value = before->second + (after->second - before->second) * part / whole +
                    std::sqrt(part * (whole - part) / whole) * normal(random);
        }
        known.emplace_hint(after, place, value);
        return value;
    }

    double price_at(double place) {
        const double moved = step * steps_at(place);
        return by_ratio ? begin * std::exp(moved) : begin + moved;
    }

    Result<Bars> cut(const Bars& real, const BarGrid& grid, WorkPieces& pieces) {
        Bars made;
        made.reserve(real.size());
        double before = real.empty() ? 0 : price_at(place_of(grid.period_of(real.start_of(0)).start));
        for (std::size_t bar = 0; bar < real.size(); ++bar) {
            if (pieces.is_due()) {
                if (auto go = pieces.check(); !go) {
                    return go.error();
                }
            }
            const double close = price_at(place_of(grid.end_of(real.start_of(bar))));
            const std::size_t like = random() % real.size();
            const auto [low, high] = std::minmax({before, close});
            made.push_back(
                real.time[bar], before, beyond(high, real.high[like], std::max(real.open[like], real.close[like])),
                beyond(low, real.low[like], std::min(real.open[like], real.close[like])), close, real.volume[like]);
            before = close;
        }
        return made;
    }

    /// As far beyond a body's end as a real bar's was; no way at all where the real one has a missing price.
    [[nodiscard]] double beyond(double end, double real, double real_end) const {
        const double moved = by_ratio ? end * (real / real_end) : end + (real - real_end);
        return std::isfinite(moved) ? moved : end;
    }
};

Result<BarsPtr> RandomWalkBars::bars(const std::string& symbol, const Timeframe& timeframe, TimeRange range,
                                     const CancellationToken& token) {
    auto real = real_->bars(symbol, timeframe, range, token);
    if (!real) {
        return real.error();
    }
    const WorkCheck check(token);
    WorkPieces pieces(check, "drawing a random walk");
    const BarGrid grid(timeframe);
    std::shared_ptr<Walk>& known = walks_[symbol];
    if (known == nullptr) {
        auto walk = std::make_shared<Walk>(symbol);
        if (auto measured = walk->measure(**real, grid, pieces); !measured) {
            return measured.error();
        }
        known = std::move(walk);
    }
    auto made = known->cut(**real, grid, pieces);
    return made ? Result<BarsPtr>(std::make_shared<const Bars>(std::move(*made))) : Result<BarsPtr>(made.error());
}

}  // namespace ktrdr
