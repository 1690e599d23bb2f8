#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/progress/tree.hpp>

namespace ktrdr {

/// One step as `start_step` takes it.
struct GenericStep {
    std::string name{};
    /// From 1. One beyond the total is the last one.
    std::int64_t number{1};
    /// Percent of the bar where it begins and ends; unset: an equal share by its number.
    std::optional<double> start_percentage{};
    std::optional<double> end_percentage{};
    /// Unset: as before.
    std::optional<std::int64_t> expected_items{};
};

/// Progress by calls, for work that does not know its steps beforehand: every call answers the new picture, or none
/// when the operation was complete and nothing changed.
///
/// Either `start_step` with `update_step_progress` inside it, or `update_progress` alone with the number of steps done;
/// both may be mixed. Steps may come out of order and totals may be 0 (unknown): the percentage stays in 0..100 and
/// never goes back. After `complete_operation` nothing changes any more.
///
/// Errors: `conflict` before `start_operation`; `invalid_argument` for a negative count or a percentage that is none,
/// naming it.
/// Thread safety: every member from any thread; many may update at once.
class KTRDR_EXPORT GenericProgressManager final : private Counted<GenericProgressManager> {
public:
    using Told = Result<std::optional<ProgressState>>;

    explicit GenericProgressManager(const Clock& clock);
    /// Over the progress of an operation that runs; `start_operation` is done already, and its end belongs to it.
    GenericProgressManager(std::shared_ptr<ProgressTree> tree, const Clock& clock);

    Told start_operation(std::string operation_id, std::int64_t total_steps, boost::json::object context = {});
    Told start_step(GenericStep step);
    /// `current` of `total` units of the step are done. 0 items and an empty detail leave what there is.
    Told update_step_progress(std::int64_t current, std::int64_t total, std::int64_t items_processed,
                              const std::string& detail);
    /// `step` of the operation's steps are done. 0 items leave what there is.
    Told update_progress(std::int64_t step, std::optional<std::string> message, std::int64_t items_processed,
                         boost::json::object context = {});
    Told complete_operation();
    /// The picture now; none before `start_operation`.
    [[nodiscard]] std::optional<ProgressState> state() const;

private:
    struct OwnTree;

    // Under mutex_.
    template <class Change>
    Told apply(Change change);
    void store(std::int64_t current, std::int64_t total, std::int64_t items);
    void say(std::string detail);
    [[nodiscard]] ProgressState picture() const;

    const Clock& clock_;
    const bool owned_;
    mutable std::mutex mutex_;
    std::shared_ptr<ProgressTree> tree_{};
    std::int64_t total_steps_{0};
    /// The step in work, or none: `update_progress` counts the steps themselves.
    std::optional<std::string> step_name_{};
    /// True once the tree counts the steps themselves.
    bool flat_{false};
    std::int64_t items_{0};
    std::int64_t expected_items_{0};
    std::string detail_{};
    bool completed_{false};
};

}  // namespace ktrdr
