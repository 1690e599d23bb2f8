#include <ktrdr/quality/repair.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <ktrdr/market/time_text.hpp>

#include "rounding.hpp"
#include "row_order.hpp"
#include "row_poll.hpp"

namespace ktrdr {
namespace {

std::vector<double>* values_of(Bars& bars, BarColumn column) {
    switch (column) {
        case BarColumn::open: return &bars.open;
        case BarColumn::high: return &bars.high;
        case BarColumn::low: return &bars.low;
        case BarColumn::close: return &bars.close;
        case BarColumn::volume: return &bars.volume;
        case BarColumn::time: break;
    }
    return nullptr;
}

/// Nothing is near what is infinite.
bool is_near(double one, double other) {
    const double distance = std::abs(one - other);
    return std::isfinite(distance) && distance <= rounding * std::max(std::abs(one), std::abs(other));
}

class Repairer final {
public:
    Repairer(const Bars& bars, const QualityReport& report, const QualityPoll& poll)
        : bars_(bars), report_(report), wanted_(poll) {
        done_.bars = bars;
        dropped_.assign(bars.size(), false);
    }

    Result<Repair> mend() {
        wanted_.ask();
        collect_names();
        drop_rows();
        wanted_.ask();
        mend_values();
        put_in_place();
        std::stable_sort(done_.changes.begin(), done_.changes.end(),
                         [](const RepairChange& one, const RepairChange& other) { return one.index < other.index; });
        return std::move(done_);
    }

private:
    using Names = std::map<std::size_t, std::size_t>;

    /// Which finding names a row or one of its numbers.
    void collect_names() {
        for (std::size_t f = 0; f < report_.findings.size(); ++f) {
            const Finding& finding = report_.findings[f];
            Names* const names = names_for(finding);
            const std::size_t end = std::min(bars_.size(), finding.index + finding.rows);
            for (std::size_t row = finding.index; names != nullptr && row < end; ++row) {
                wanted_.at(row);
                names->emplace(row, f);
            }
        }
    }

    Names* names_for(const Finding& finding) {
        switch (finding.rule) {
            case QualityRule::order: return &order_;
            case QualityRule::duplicate: return &duplicates_;
            case QualityRule::ohlc: return finding.column == BarColumn::high ? &highs_ : &lows_;
            case QualityRule::not_finite: return finding.column == BarColumn::volume ? &volumes_ : nullptr;
            default: return nullptr;
        }
    }

    void drop_rows() {
        if (duplicates_.empty()) {
            return;
        }
        const auto rows = rows_by_time(bars_);
        std::size_t first = 0;
        for (std::size_t i = 1; i < rows.size(); ++i) {
            wanted_.at(i);
            if (bars_.time[rows[i]] != bars_.time[rows[first]]) {
                first = i;
                continue;
            }
            const auto named = duplicates_.find(rows[i]);
            if (named != duplicates_.end() && same_to_the_bit(bars_, rows[i], rows[first])) {
                dropped_[rows[i]] = true;
                done_.changes.push_back({RepairChange::Kind::row, rows[i], BarColumn::time,
                                         static_cast<double>(rows[i]), static_cast<double>(rows[first]), named->second,
                                         fmt::format("the same bar as row {}, which stays", rows[first])});
            }
        }
    }

    void mend_values() {
        for (const auto& [row, finding] : highs_) {
            if (!dropped_[row]) {
                mend_high(row, finding);
            }
        }
        for (const auto& [row, finding] : lows_) {
            if (!dropped_[row] && !swapped(row)) {
                const double right = std::min({bars_.open[row], bars_.close[row], bars_.high[row]});
                if (bars_.low[row] > right && is_near(bars_.low[row], right)) {
                    replace(row, BarColumn::low, right, finding,
                            "the lowest price of the bar, which it missed by rounding");
                }
            }
        }
        for (const auto& [row, finding] : volumes_) {
            if (!dropped_[row] && std::isnan(bars_.volume[row])) {
                replace(row, BarColumn::volume, Bars::no_volume, finding, "a volume that nobody has given is -1");
            }
        }
    }

    void mend_high(std::size_t row, std::size_t finding) {
        if (swapped(row)) {
            const std::string why =
                "high and low stand in each other's place: so ordered, open and close lie between them";
            replace(row, BarColumn::high, bars_.low[row], finding, why);
            replace(row, BarColumn::low, bars_.high[row], lows_.at(row), why);
            return;
        }
        const double right = std::max({bars_.open[row], bars_.close[row], bars_.low[row]});
        if (bars_.high[row] < right && is_near(bars_.high[row], right)) {
            replace(row, BarColumn::high, right, finding, "the highest price of the bar, which it missed by rounding");
        }
    }

    /// High and low are each other's, and findings name both.
    [[nodiscard]] bool swapped(std::size_t row) const {
        const double top = std::max(bars_.open[row], bars_.close[row]);
        const double bottom = std::min(bars_.open[row], bars_.close[row]);
        return bars_.high[row] < bars_.low[row] && bars_.low[row] >= top && bars_.high[row] <= bottom &&
               std::isfinite(bars_.low[row]) && std::isfinite(bars_.high[row]) && highs_.contains(row) &&
               lows_.contains(row);
    }

    void replace(std::size_t row, BarColumn column, double after, std::size_t finding, std::string why) {
        double& value = (*values_of(done_.bars, column))[row];
        done_.changes.push_back({RepairChange::Kind::value, row, column, value, after, finding, std::move(why)});
        value = after;
    }

    /// Rows by their stamps, without those dropped; only where findings name each that stands too late.
    void put_in_place() {
        std::vector<std::size_t> rows(bars_.size());
        std::int64_t newest = bars_.empty() ? 0 : bars_.time[0];
        bool all_named = true;
        for (std::size_t row = 0; row < bars_.size(); ++row) {
            wanted_.at(row);
            rows[row] = row;
            all_named = all_named && (bars_.time[row] >= newest || order_.contains(row));
            newest = std::max(newest, bars_.time[row]);
        }
        const bool sorts = all_named && !order_.empty();
        if (sorts) {
            rows = rows_by_time(bars_);
        }
        std::erase_if(rows, [this](std::size_t row) { return dropped_[row]; });
        if (!sorts && rows.size() == bars_.size()) {
            return;
        }
        if (sorts) {
            for (std::size_t place = 0; place < rows.size(); ++place) {
                if (const auto named = order_.find(rows[place]); named != order_.end()) {
                    done_.changes.push_back({RepairChange::Kind::place, rows[place], BarColumn::time,
                                             static_cast<double>(rows[place]), static_cast<double>(place),
                                             named->second, "where its stamp belongs"});
                }
            }
        }
        Bars placed;
        placed.reserve(rows.size());
        for (const std::size_t row : rows) {
            const Bars& from = done_.bars;
            placed.push_back(from.time[row], from.open[row], from.high[row], from.low[row], from.close[row],
                             from.volume[row]);
        }
        done_.bars = std::move(placed);
        done_.origin = std::move(rows);
    }

    const Bars& bars_;
    const QualityReport& report_;
    const RowPoll wanted_;
    Repair done_{};
    std::vector<bool> dropped_{};
    Names order_{};
    Names duplicates_{};
    Names highs_{};
    Names lows_{};
    Names volumes_{};
};

void copy_row(const Bars& from, std::size_t row, Bars& to, std::size_t place) {
    to.time[place] = from.time[row];
    for (const BarColumn column :
         {BarColumn::open, BarColumn::high, BarColumn::low, BarColumn::close, BarColumn::volume}) {
        (*values_of(to, column))[place] = (*values_of(const_cast<Bars&>(from), column))[row];
    }
}

}  // namespace

std::string_view to_string(RepairChange::Kind kind) noexcept {
    return kind == RepairChange::Kind::value ? "value" : kind == RepairChange::Kind::row ? "row" : "place";
}

bool operator==(const RepairChange& one, const RepairChange& other) {
    const auto facts = [](const RepairChange& change) {
        return std::tie(change.kind, change.index, change.column, change.after, change.finding, change.why);
    };
    const bool same = one.before == other.before || (std::isnan(one.before) && std::isnan(other.before));
    return facts(one) == facts(other) && same;
}

Bars Repair::undone() const {
    Bars given = bars;
    if (!origin.empty()) {
        const auto dropped = std::count_if(changes.begin(), changes.end(), [](const RepairChange& change) {
            return change.kind == RepairChange::Kind::row;
        });
        for (auto* const column : {&given.open, &given.high, &given.low, &given.close, &given.volume}) {
            column->resize(bars.size() + static_cast<std::size_t>(dropped));
        }
        given.time.resize(bars.size() + static_cast<std::size_t>(dropped));
        for (std::size_t place = 0; place < origin.size(); ++place) {
            copy_row(bars, place, given, origin[place]);
        }
    }
    for (const RepairChange& change : changes) {
        if (change.kind == RepairChange::Kind::value) {
            (*values_of(given, change.column))[change.index] = change.before;
        }
    }
    for (const RepairChange& change : changes) {
        if (change.kind == RepairChange::Kind::row) {
            copy_row(given, static_cast<std::size_t>(change.after), given, change.index);
        }
    }
    return given;
}

Result<Repair> repair(const Bars& bars, const QualityReport& report, const QualityPoll& poll) {
    if (auto checked = bars.check_lengths(); !checked) {
        return checked.error();
    }
    if (report.bars != bars.size()) {
        return fail(
            Errc::invalid_argument,
            fmt::format("the report is about {} bars, these are {}: check them first", report.bars, bars.size()),
            {{"field", "report"}});
    }
    return until_unwanted([&] { return Repairer(bars, report, poll).mend(); });
}

}  // namespace ktrdr
