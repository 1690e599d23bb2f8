// What a provider said of stored bars at other times.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <tuple>

#include <ktrdr/market/time_text.hpp>

#include "rules.hpp"

namespace ktrdr {
namespace {

constexpr std::array number_columns{BarColumn::open, BarColumn::high, BarColumn::low, BarColumn::close,
                                    BarColumn::volume};

/// The numbers of a bar that differ, by column.
std::vector<std::size_t> differing(const std::array<double, 5>& stored, const std::array<double, 5>& other) {
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < stored.size(); ++i) {
        if (!same_number(stored.at(i), other.at(i))) {
            columns.push_back(i);
        }
    }
    return columns;
}

std::string text_of(const BarRevision& said, const std::array<double, 5>& stored,
                    const std::vector<std::size_t>& columns) {
    std::vector<std::string> numbers;
    for (const std::size_t column : columns) {
        numbers.push_back(fmt::format("{} {} ({} is stored)", to_string(number_columns.at(column)),
                                      said.numbers.at(column), stored.at(column)));
    }
    // Whoever gave them: what a load replaces may have been somebody's own.
    return said.replaced ? fmt::format("until the load of {}, to which its provider gave other numbers, it had {}",
                                       format_time(said.at), fmt::join(numbers, ", "))
                         : fmt::format("its provider gave {} on {}: load with refresh=True to take its numbers",
                                       fmt::join(numbers, ", "), format_time(said.at));
}

/// Bars in order, and where each stands in what is checked.
struct PlacedBars {
    const Bars& bars;
    const std::vector<std::size_t>& rows;

    [[nodiscard]] std::size_t place_of(std::size_t row) const { return rows.empty() ? row : rows[row]; }
};

void check_revision(const PlacedBars& placed, const BarRevision& said, FindingList& found) {
    const std::size_t row = placed.bars.row_from(said.time);
    if (row == placed.bars.size() || placed.bars.start_of(row) != said.time) {
        return;
    }
    const auto stored = numbers_of(placed.bars, row);
    const auto columns = differing(stored, said.numbers);
    if (columns.empty()) {
        return;
    }
    const auto column = columns.size() == 1 ? std::optional(number_columns.at(columns.front())) : std::nullopt;
    found.mark(QualityRule::revision, said.replaced ? Severity::note : Severity::warning, placed.place_of(row), column,
               said.numbers.at(columns.front()), [&] { return text_of(said, stored, columns); });
}

void check_basis(const PlacedBars& placed, const Rebase& rebase, FindingList& found) {
    const std::size_t row = placed.bars.row_from(rebase.at);
    if (row == 0 || row == placed.bars.size()) {
        return;
    }
    found.add({QualityRule::basis,
               Severity::warning,
               placed.place_of(row),
               1,
               placed.bars.start_of(row),
               std::nullopt,
               rebase.ratio,
               {}},
              [&rebase] {
                  return fmt::format(
                      "prices from here on are {:.6g} times what those before are on: the provider has re-based its "
                      "history (a split, a dividend); load the whole range with refresh=True to have it on one basis",
                      rebase.ratio);
              });
}

}  // namespace

void check_revisions(const Bars& bars, const std::vector<std::size_t>& rows, const Revisions& told,
                     FindingList& found) {
    const PlacedBars placed{bars, rows};
    std::vector<BarRevision> revised = told.bars;
    std::sort(revised.begin(), revised.end(), [](const BarRevision& a, const BarRevision& b) {
        return std::tie(a.replaced, a.time) < std::tie(b.replaced, b.time);
    });
    for (const BarRevision& said : revised) {
        check_revision(placed, said, found);
    }
    for (const Rebase& rebase : told.rebased) {
        check_basis(placed, rebase, found);
    }
}

}  // namespace ktrdr
