#include <ktrdr/progress/tree.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include <ktrdr/base/log.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

double part(double done, std::int64_t total) {
    return total > 0 ? std::clamp(done / static_cast<double>(total), 0.0, 1.0) : 0.0;
}

double inner_part(const ProgressCounts& inner) {
    return part(static_cast<double>(inner.current), inner.total);
}

/// How much of its step is done. A step without outer units is one unit.
double step_part(const ProgressCounts& outer, const ProgressCounts& inner) {
    if (outer.total <= 0 && outer.current == 0) {
        return inner_part(inner);
    }
    return part(static_cast<double>(outer.current) + inner_part(inner), outer.total);
}

boost::json::object named_metrics(const std::vector<std::string>& names, const ProgressCounts& counts) {
    boost::json::object metrics;
    for (std::size_t i = 0; i < names.size() && i < counts.metrics.size(); ++i) {
        if (!std::isnan(counts.metrics[i])) {
            metrics[names[i]] = counts.metrics[i];
        }
    }
    return metrics;
}

/// What a renderer adds has the bounds of what it was made from.
ProgressState kept(ProgressState state) {
    state.message = kept_text(std::move(state.message));
    state.context = kept_json(std::move(state.context));
    return state;
}

const DefaultProgressRenderer& default_renderer() {
    static const auto* const renderer = new DefaultProgressRenderer;  // A worker may outlive static destruction.
    return *renderer;
}

}  // namespace

ProgressTree::ProgressTree(std::string_view operation_id, const Clock& clock, double unfinished_limit)
    : operation_id_(operation_id),
      clock_(clock),
      started_(clock.utc_now()),
      work_began_(clock.now()),
      unfinished_limit_(unfinished_limit) {}

void ProgressTree::work_begins() {
    const std::scoped_lock lock(mutex_);
    work_began_ = clock_.now();
}

void ProgressTree::set_steps(std::vector<ProgressStep> steps) {
    double sum = 0;
    for (const auto& step : steps) {
        if (!std::isfinite(step.weight) || step.weight <= 0 || step.metrics.size() > ProgressCounts::metric_limit) {
            throw ErrorException(
                fail(Errc::invalid_argument,
                     fmt::format("step {:?} needs a weight above 0 (it has {}) and at most {} metrics (it has {})",
                                 step.name, step.weight, ProgressCounts::metric_limit, step.metrics.size())));
        }
        sum += step.weight;
    }
    for (auto& step : steps) {
        step.weight *= 100 / sum;
        step.name = kept_text(std::move(step.name), longest_name);
    }
    const std::scoped_lock lock(mutex_);
    if (std::ranges::any_of(steps, [](const ProgressStep& step) { return !step.metrics.empty(); })) {
        inner_.keep_metrics();
    }
    steps_ = std::move(steps);
    ++changes_;
}

void ProgressTree::set_renderer(std::shared_ptr<const ProgressRenderer> renderer) {
    const std::scoped_lock lock(mutex_);
    renderer_ = std::move(renderer);
    ++changes_;
}

void ProgressTree::set_context(boost::json::object context) {
    const std::scoped_lock lock(mutex_);
    for (auto& [key, value] : context) {
        context_[key] = std::move(value);
    }
    context_ = kept_json(std::move(context_));
    ++changes_;
}

void ProgressTree::set_total_steps(std::int64_t count) {
    const std::scoped_lock lock(mutex_);
    total_steps_ = std::max<std::int64_t>(count, 0);
    ++changes_;
}

void ProgressTree::set_detail(std::string detail) {
    const std::scoped_lock lock(mutex_);
    detail_ = kept_text(std::move(detail));
    ++changes_;
}

void ProgressTree::enter(std::size_t index) {
    const std::scoped_lock lock(mutex_);
    if (index >= std::max<std::size_t>(steps_.size(), 1)) {
        throw ErrorException(fail(Errc::internal, fmt::format("operation {} has {} steps and entered number {}",
                                                              operation_id_, steps_.size(), index + 1)));
    }
    ProgressRange range;
    range.number = static_cast<std::int64_t>(index) + 1;
    if (index >= steps_.size()) {
        begin(std::move(range));
        return;
    }
    range.name = steps_[index].name;
    for (std::size_t i = 0; i < index; ++i) {
        range.start += steps_[i].weight;
    }
    range.end = index + 1 == steps_.size() ? 100.0 : std::min(100.0, range.start + steps_[index].weight);
    begin(std::move(range), index);
}

void ProgressTree::enter(ProgressRange range) {
    if (!(range.start >= 0 && range.start <= range.end && range.end <= 100)) {
        throw ErrorException(
            fail(Errc::invalid_argument, fmt::format("step {:?} must take a part of 0 to 100 percent, not {} to {}",
                                                     range.name, range.start, range.end)));
    }
    range.name = kept_text(std::move(range.name), longest_name);
    const std::scoped_lock lock(mutex_);
    begin(std::move(range));
}

void ProgressTree::begin(ProgressRange range, std::optional<std::size_t> declared) {
    const auto [items, total_items] = items_so_far(outer_.load(), inner_.load());
    outer_.store({.items = items, .total_items = total_items});
    inner_.store({});
    // Steps that are only counted are told of when they are done: the first one began with the work.
    const bool counted = !range.number;
    const SteadyTime began = counted ? work_began_ : clock_.now();
    place_ = std::make_unique<Place>(Place{std::move(range), declared, {}, {}});
    place_->eta.reset(began);
    place_->rate.reset(began, counted ? 0 : items);
    detail_.clear();
    closing_message_.clear();
    push_edge();
}

void ProgressTree::finish() {
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(finished_, true)) {
        push_edge();
    }
}

void ProgressTree::close(std::string message) {
    const std::scoped_lock lock(mutex_);
    closing_message_ = kept_text(std::move(message));
    push_edge();
}

ProgressState ProgressTree::snapshot() {
    const std::scoped_lock lock(mutex_);
    return kept(make_state());
}

std::vector<ProgressState> ProgressTree::take_edges() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(edges_, {});
}

std::uint64_t ProgressTree::version() const noexcept {
    const std::scoped_lock lock(mutex_);
    return changes_ + outer_.version() + inner_.version();
}

void ProgressTree::push_edge() {
    ++changes_;
    if (edges_.size() >= edge_limit) {
        // Rare: work with a thousand steps between two looks. Half at once, so that the moves stay cheap.
        edges_.erase(edges_.begin(), edges_.begin() + edge_limit / 2);
    }
    edges_.push_back(kept(make_state()));
}

std::pair<std::int64_t, std::int64_t> ProgressTree::items_so_far(const ProgressCounts& outer,
                                                                 const ProgressCounts& inner) {
    return {std::max(outer.items, inner.items), std::max(outer.total_items, inner.total_items)};
}

ProgressState ProgressTree::make_state() {
    if (!renderer_) {
        return put_into_words(make_picture());
    }
    std::string why;
    try {
        return put_into_words(make_picture());
    } catch (const std::exception& error) {
        why = error.what();
    } catch (...) {
        why = "an exception of no known type";
    }
    report_renderer(why);
    ProgressState state = make_picture();
    state.message = closing_message_.empty() ? sentence_ : closing_message_;
    return state;
}

void ProgressTree::report_renderer(std::string_view why) {
    if (!std::exchange(renderer_reported_, true)) {
        log(LogLevel::warning, "progress", fmt::format("a renderer threw, and the last sentence stays: {}", why),
            std::string(operation_id_));
    }
}

ProgressState ProgressTree::put_into_words(ProgressState state) {
    const ProgressRenderer& renderer = renderer_ ? *renderer_ : default_renderer();
    state = renderer.enhance_state(std::move(state));
    state.message = closing_message_.empty() ? renderer.render_message(state) : closing_message_;
    if (renderer_) {
        sentence_ = state.message;
    }
    return state;
}

ProgressState ProgressTree::make_picture() {
    const ProgressCounts outer = outer_.load();
    const ProgressCounts inner = inner_.load();
    ProgressState state;
    state.operation_id = operation_id_;
    state.sequence = ++sequence_;
    state.start_time = started_;
    state.context = context_;
    state.total_steps = std::max(total_steps_, static_cast<std::int64_t>(steps_.size()));
    state.detail = detail_;
    if (place_) {
        describe_step(state, outer, inner);
    }
    const double reached = state.step_start_percentage +
                           (state.step_end_percentage - state.step_start_percentage) * step_part(outer, inner);
    highest_ = finished_ ? 100.0 : std::max(highest_, std::min(reached, unfinished_limit_));
    state.percentage = highest_;
    if (finished_) {
        state.estimated_remaining = std::chrono::milliseconds{0};
        // Work may have said less of its last steps, or skipped them: all of them are behind it.
        state.current_step = std::max(state.current_step, state.total_steps);
        if (place_ && !place_->range.number && state.step_total > 0 && state.step_total == state.total_steps) {
            // Steps that were told by number alone are the operation's own.
            state.step_current = state.total_steps;
        }
    }
    return state;
}

void ProgressTree::describe_step(ProgressState& state, const ProgressCounts& outer, const ProgressCounts& inner) {
    const ProgressRange& range = place_->range;
    state.current_step = range.number.value_or(outer.current);
    state.step_name = range.name;
    state.step_start_percentage = range.start;
    state.step_end_percentage = range.end;
    state.step_current = outer.current;
    state.step_total = outer.total;
    std::tie(state.items_processed, state.total_items) = items_so_far(outer, inner);
    state.epoch = inner.epoch;
    state.total_epochs = inner.total_epochs;
    state.batch = inner.batch;
    state.total_batches = inner.total_batches;
    if (place_->declared) {
        if (auto metrics = named_metrics(steps_[*place_->declared].metrics, inner); !metrics.empty()) {
            state.context["metrics"] = std::move(metrics);
        }
    }
    const SteadyTime now = clock_.now();
    if (place_->eta.observe(now, outer.current, outer.total, inner_part(inner))) {
        place_->rate.reset(now, state.items_processed);
    }
    place_->rate.observe(now, state.items_processed);
    state.rate = place_->rate.rate(now);
    if (closing_message_.empty()) {
        state.estimated_remaining = place_->eta.remaining(now);
    }
}

}  // namespace ktrdr
