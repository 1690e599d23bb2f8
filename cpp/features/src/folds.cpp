#include <ktrdr/features/folds.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace ktrdr {
namespace {

Error refuse(std::string_view field, std::string message) {
    return fail(Errc::invalid_argument, std::move(message), {{"field", field}});
}

/// The start of the row with so many before it; the end of time behind the last.
UtcTime start_at(std::vector<UtcTime>& starts, std::size_t row) {
    if (row >= starts.size()) {
        return UtcTime::max();
    }
    const auto found = starts.begin() + static_cast<std::ptrdiff_t>(row);
    std::ranges::nth_element(starts, found);
    return *found;
}

std::vector<UtcTime> copy_of(std::span<const UtcTime> times) {
    return {times.begin(), times.end()};
}

Result<void> check_index(std::size_t index, std::size_t folds) {
    if (index < folds) {
        return {};
    }
    return refuse("index", fmt::format("there is no fold {} of {}; they count from 0", index, folds));
}

/// As it is, if there is something to learn from and something to test on.
Result<Fold> both_sides(Fold fold, std::size_t index, std::string_view fewer) {
    if (fold.test.empty()) {
        return refuse("n_splits", fmt::format("fold {} has no row to test on: rows that begin at one time are never "
                                              "parted, and too many do; take fewer folds",
                                              index));
    }
    if (fold.train.empty()) {
        return refuse("n_splits", fmt::format("fold {} has no row to train on: {} are left out because their label, or "
                                              "the embargo, reaches into the test; {}",
                                              index, fold.purged, fewer));
    }
    return fold;
}

}  // namespace

Result<Fold> walk_forward_fold(RowTimes rows, const WalkForwardRule& rule, std::size_t index) {
    const std::size_t count = rows.starts.size();
    if (rule.splits < 1) {
        return refuse("n_splits", "n_splits is 0; at least 1 is needed");
    }
    const std::size_t test = rule.test_rows.value_or(count / (rule.splits + 1));
    // By division: a product of what somebody asks for may not fit.
    if (test < 1 || count / rule.splits < test || count - test * rule.splits < 1) {
        return refuse("test_size",
                      fmt::format("{} tests of {} rows and a row to train on do not fit into {} rows; take "
                                  "fewer or shorter tests",
                                  rule.splits, test, count));
    }
    if (rule.train_rows == 0U) {
        return refuse("max_train_size", "max_train_size is 0; at least 1 is needed");
    }
    if (auto there = check_index(index, rule.splits); !there) {
        return there.error();
    }
    const std::size_t first = count - test * (rule.splits - index);
    std::vector<UtcTime> starts = copy_of(rows.starts);
    const UtcTime begin = start_at(starts, first);
    const UtcTime end = start_at(starts, first + test);
    const std::size_t trained = std::min(first, rule.train_rows.value_or(first));
    const UtcTime oldest = start_at(starts, first - trained);
    Fold fold;
    for (std::size_t row = 0; row < count; ++row) {
        const UtcTime start = rows.starts[row];
        if (start >= begin && (start < end || end == UtcTime::max())) {
            fold.test.push_back(row);
        } else if (start >= oldest && start < begin) {
            if (rows.ends[row] <= begin) {
                fold.train.push_back(row);
            } else {
                ++fold.purged;
            }
        }
    }
    return both_sides(std::move(fold), index,
                      "take fewer or shorter tests, a larger max_train_size or a shorter embargo");
}

Result<Fold> purged_fold(RowTimes rows, std::size_t folds, std::size_t index) {
    const std::size_t count = rows.starts.size();
    if (folds < 2 || folds > count) {
        return refuse("n_splits", fmt::format("n_splits is {} for {} rows; at least 2, and no more than there are rows",
                                              folds, count));
    }
    if (auto there = check_index(index, folds); !there) {
        return there.error();
    }
    // The first folds have a row more where they do not come out even.
    const auto first_of = [&](std::size_t fold) { return fold * (count / folds) + std::min(fold, count % folds); };
    std::vector<UtcTime> starts = copy_of(rows.starts);
    const UtcTime begin = start_at(starts, first_of(index));
    const UtcTime end = start_at(starts, first_of(index + 1));
    const auto tests = [&](std::size_t row) {
        return rows.starts[row] >= begin && (rows.starts[row] < end || end == UtcTime::max());
    };
    Fold fold;
    UtcTime known = begin;
    for (std::size_t row = 0; row < count; ++row) {
        if (tests(row)) {
            fold.test.push_back(row);
            known = std::max(known, rows.ends[row]);
        }
    }
    for (std::size_t row = 0; row < count; ++row) {
        if (tests(row)) {
            continue;
        }
        if (rows.ends[row] <= begin || rows.starts[row] >= known) {
            fold.train.push_back(row);
        } else {
            ++fold.purged;
        }
    }
    return both_sides(std::move(fold), index, "take other folds or a shorter embargo");
}

}  // namespace ktrdr
