#include <ktrdr/progress/generic_progress_manager.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace ktrdr {
namespace {

Result<void> check_count(std::string_view name, std::int64_t value) {
    if (value < 0) {
        return fail(Errc::invalid_argument, fmt::format("{} must be at least 0, not {}", name, value),
                    {{"argument", name}});
    }
    return {};
}

Result<void> check_percentage(std::string_view name, const std::optional<double>& value) {
    if (value && !(*value >= 0 && *value <= 100)) {
        return fail(Errc::invalid_argument, fmt::format("{} must be between 0 and 100, not {}", name, *value),
                    {{"argument", name}});
    }
    return {};
}

/// The first that is not as it should be.
Result<void> all(std::initializer_list<Result<void>> checks) {
    for (const auto& check : checks) {
        if (!check) {
            return check.error();
        }
    }
    return {};
}

/// Where step `number` of `total` ends, in percent.
double share(std::int64_t number, std::int64_t total) {
    return total > 0
               ? 100.0 * static_cast<double>(std::clamp<std::int64_t>(number, 0, total)) / static_cast<double>(total)
               : 0.0;
}

}  // namespace

/// A tree and the id that it speaks of.
struct GenericProgressManager::OwnTree {
    OwnTree(std::string id, const Clock& clock) : operation_id(std::move(id)), tree(operation_id, clock, 100.0) {}
    const std::string operation_id;
    ProgressTree tree;
};

GenericProgressManager::GenericProgressManager(const Clock& clock) : clock_(clock), owned_(true) {}

GenericProgressManager::GenericProgressManager(std::shared_ptr<ProgressTree> tree, const Clock& clock)
    : clock_(clock), owned_(false), tree_(std::move(tree)) {
    total_steps_ = tree_->snapshot().total_steps;
}

template <class Change>
GenericProgressManager::Told GenericProgressManager::apply(Change change) {
    const std::scoped_lock lock(mutex_);
    if (!tree_) {
        return fail(Errc::conflict, "progress was reported before an operation began: call start_operation first");
    }
    if (completed_) {
        return std::optional<ProgressState>{};
    }
    change();
    return std::optional(picture());
}

GenericProgressManager::Told GenericProgressManager::start_operation(std::string operation_id, std::int64_t total_steps,
                                                                     boost::json::object context) {
    if (const auto checked = check_count("total_steps", total_steps); !checked) {
        return checked.error();
    }
    const std::scoped_lock lock(mutex_);
    if (owned_) {
        auto own = std::make_shared<OwnTree>(std::move(operation_id), clock_);
        tree_ = {own, &own->tree};
    }
    total_steps_ = total_steps;
    step_name_.reset();
    flat_ = false;
    completed_ = false;
    items_ = expected_items_ = 0;
    detail_.clear();
    tree_->work_begins();
    tree_->set_total_steps(total_steps);
    tree_->set_context(std::move(context));
    return std::optional(picture());
}

GenericProgressManager::Told GenericProgressManager::start_step(GenericStep step) {
    const auto checked =
        all({check_count("step_number", step.number), check_percentage("step_percentage", step.start_percentage),
             check_percentage("step_end_percentage", step.end_percentage),
             check_count("expected_items", step.expected_items.value_or(0))});
    if (!checked) {
        return checked.error();
    }
    return apply([&] {
        const double start = step.start_percentage.value_or(share(step.number - 1, total_steps_));
        const double end = std::max(start, step.end_percentage.value_or(share(step.number, total_steps_)));
        expected_items_ = step.expected_items.value_or(expected_items_);
        detail_.clear();
        flat_ = false;
        tree_->enter(ProgressRange{step.name, step.number, start, end});
        step_name_ = std::move(step.name);
        store(0, 0, 0);
    });
}

GenericProgressManager::Told GenericProgressManager::update_step_progress(std::int64_t current, std::int64_t total,
                                                                          std::int64_t items_processed,
                                                                          const std::string& detail) {
    const auto checked = all({check_count("current", current), check_count("total", total),
                              check_count("items_processed", items_processed)});
    if (!checked) {
        return checked.error();
    }
    return apply([&] {
        if (!detail.empty()) {
            say(step_name_ && !step_name_->empty() ? fmt::format("{}: {}", *step_name_, detail) : detail);
        }
        store(total > 0 ? std::min(current, total) : current, total, items_processed);
    });
}

GenericProgressManager::Told GenericProgressManager::update_progress(std::int64_t step,
                                                                     std::optional<std::string> message,
                                                                     std::int64_t items_processed,
                                                                     boost::json::object context) {
    const auto checked = all({check_count("step", step), check_count("items_processed", items_processed)});
    if (!checked) {
        return checked.error();
    }
    return apply([&] {
        if (!flat_) {
            step_name_.reset();
            flat_ = true;
            tree_->enter(ProgressRange{});
            tree_->set_detail(detail_);
        }
        if (message) {
            say(std::move(*message));
        }
        if (!context.empty()) {
            tree_->set_context(std::move(context));
        }
        store(total_steps_ > 0 ? std::min(step, total_steps_) : step, total_steps_, items_processed);
    });
}

GenericProgressManager::Told GenericProgressManager::complete_operation() {
    return apply([&] {
        completed_ = true;
        if (owned_) {
            tree_->finish();
        }
    });
}

std::optional<ProgressState> GenericProgressManager::state() const {
    const std::scoped_lock lock(mutex_);
    return tree_ ? std::optional(picture()) : std::nullopt;
}

void GenericProgressManager::store(std::int64_t current, std::int64_t total, std::int64_t items) {
    if (items > 0) {
        items_ = items;
    }
    tree_->outer().store({current, total, items_, expected_items_});
}

void GenericProgressManager::say(std::string detail) {
    detail_ = std::move(detail);
    tree_->set_detail(detail_);
}

ProgressState GenericProgressManager::picture() const {
    ProgressState state = tree_->snapshot();
    if (owned_) {
        // Every picture is answered; none has to wait for a reader.
        (void)tree_->take_edges();
    }
    return state;
}

}  // namespace ktrdr
