#pragma once

#include <boost/json/object.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/progress/eta.hpp>
#include <ktrdr/progress/node.hpp>
#include <ktrdr/progress/rate.hpp>
#include <ktrdr/progress/renderer.hpp>
#include <ktrdr/progress/state.hpp>

namespace ktrdr {

/// One step of an operation and its share of the bar.
struct ProgressStep {
    std::string name{};
    /// Relative to the weights of the other steps; above 0.
    double weight{1};
    /// Names of the metrics that the step's inner node stores, in order, at most `ProgressCounts::metric_limit`; they
    /// appear in `context["metrics"]`.
    std::vector<std::string> metrics{};
};

/// A step that was not declared, with its own part of the bar.
struct ProgressRange {
    std::string name{};
    /// Its place among the steps, from 1. Unset: the units of the step are the operation's steps themselves, counted
    /// since the work began.
    std::optional<std::int64_t> number{};
    /// Percent of the bar where it begins and where it ends, 0 <= start <= end <= 100.
    double start{0};
    double end{100};
};

/// The progress of one operation: steps with weights, in each step outer units (segments, epochs) and inside the unit
/// in work inner ones (bars, batches).
///
/// The worker calls `enter` at a step's start and then stores numbers into `outer()` and `inner()`; a reader calls
/// `snapshot`. The percentage never goes back and is 100 only after `finish`. `estimated_remaining` and `rate` speak of
/// the step in work. Between two units store `inner` first: a new unit with the old count is less than there was, an
/// old unit with the new count would be more than there is.
///
/// Errors: misuse (a weight that is not above 0, a step that was not declared) throws.
/// Thread safety: `work_begins`, `enter`, `set_context`, `set_detail`, `finish`, `close` from the worker; the rest from
/// any thread; nodes as they say. The renderer runs under the tree's lock and must not call back.
class KTRDR_EXPORT ProgressTree final {
public:
    /// What work that has not said that it is done never goes beyond, in percent.
    static constexpr double almost_done = 99.9;
    /// Most edges that wait for `take_edges`; the oldest go first.
    static constexpr std::size_t edge_limit = 1000;

    /// `operation_id` must outlive the tree: its owner has it anyway.
    ProgressTree(std::string_view operation_id, const Clock& clock, double unfinished_limit = almost_done);

    /// Declare the steps, once, before the first `enter`.
    void set_steps(std::vector<ProgressStep> steps);
    void set_renderer(std::shared_ptr<const ProgressRenderer> renderer);
    /// Strings that change with the step only (symbol, mode, model type); merged into what is there.
    void set_context(boost::json::object context);
    /// How many steps there are where they are not declared; 0 for unknown.
    void set_total_steps(std::int64_t count);
    /// What the worker says of the step in work, in place of its name. Cleared by `enter`.
    void set_detail(std::string detail);

    /// The work begins now, after its wait for a turn: what is counted without steps is timed from here. Until it is
    /// called, from when the tree was made.
    void work_begins();
    /// The work is now in step `index` (0-based). Clears both nodes but for the items, and queues an edge that is never
    /// lost. Without declared steps there is one, number 0, without a name.
    void enter(std::size_t index);
    /// The same for a step that was not declared. A later range may lie before an earlier one; the bar stands then.
    void enter(ProgressRange range);
    /// The step's units: `current` of `total` done. `items` counts bars or samples since the operation began, here or
    /// in `inner()`: the larger one is shown.
    [[nodiscard]] ProgressNode& outer() noexcept { return outer_; }
    /// Progress inside the unit in work; counts as a fraction of one outer unit. Its epoch and batch are the state's.
    [[nodiscard]] ProgressNode& inner() noexcept { return inner_; }
    /// The work is done: 100 %. Queues the last edge.
    void finish();
    /// Queue an edge with `message` as it stands now (for the final state of a cancelled or failed operation too).
    void close(std::string message);

    /// The picture now. Rendered, with a new sequence number.
    [[nodiscard]] ProgressState snapshot();
    /// Snapshots pushed at step and terminal edges since the last call, oldest first.
    [[nodiscard]] std::vector<ProgressState> take_edges();
    /// Rises whenever something a reader could see has changed.
    [[nodiscard]] std::uint64_t version() const noexcept;

private:
    /// The step in work.
    struct Place {
        ProgressRange range{};
        /// Which of the declared ones it is.
        std::optional<std::size_t> declared{};
        EtaEstimator eta{};
        RateMeter rate{};
    };

    void begin(ProgressRange range, std::optional<std::size_t> declared = std::nullopt);
    [[nodiscard]] ProgressState make_state();
    [[nodiscard]] ProgressState make_picture();
    /// Fill in the words. A renderer that throws is reported once, and the last sentence stays.
    [[nodiscard]] ProgressState put_into_words(ProgressState state);
    void report_renderer(std::string_view why);
    void describe_step(ProgressState& state, const ProgressCounts& outer, const ProgressCounts& inner);
    void push_edge();
    /// Items done and in all.
    [[nodiscard]] static std::pair<std::int64_t, std::int64_t> items_so_far(const ProgressCounts& outer,
                                                                            const ProgressCounts& inner);

    const std::string_view operation_id_;
    const Clock& clock_;
    const UtcTime started_;
    SteadyTime work_began_;
    const double unfinished_limit_;
    ProgressNode outer_{};
    ProgressNode inner_{};
    mutable std::mutex mutex_;
    std::vector<ProgressStep> steps_{};
    std::shared_ptr<const ProgressRenderer> renderer_{};
    /// What the renderer said last.
    std::string sentence_{};
    bool renderer_reported_{false};
    boost::json::object context_{};
    std::int64_t total_steps_{0};
    std::unique_ptr<Place> place_{};
    std::string detail_{};
    bool finished_{false};
    std::string closing_message_{};
    double highest_{0};
    std::uint64_t sequence_{0};
    std::uint64_t changes_{0};
    std::vector<ProgressState> edges_{};
};

}  // namespace ktrdr
