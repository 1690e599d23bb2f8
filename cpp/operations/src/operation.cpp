#include <ktrdr/operations/operation.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include <ktrdr/base/log.hpp>
#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

/// Longer waits are as good as for ever, and adding them to a time point would overflow.
constexpr std::chrono::nanoseconds longest = std::chrono::hours(24 * 365);
/// The record goes to the store whole with every change; more warnings are events only.
constexpr std::size_t most_warnings = 100;

OperationRecord first_record(OperationSpec spec, UtcTime created) {
    OperationRecord record;
    record.id = std::move(spec.id);
    record.type = std::move(spec.type);
    record.name = kept_text(std::move(spec.name), longest_name);
    record.parent_id = std::move(spec.parent_id);
    record.parameters = std::move(spec.parameters);
    record.resumable = spec.resumable;
    record.owner = spec.store ? spec.store->owner() : std::string{};
    record.created = created;
    return record;
}

OperationStatus final_status(const Result<std::any>& outcome) {
    if (outcome) {
        return OperationStatus::completed;
    }
    switch (outcome.error().code) {
        case Errc::cancelled: return OperationStatus::cancelled;
        case Errc::timed_out: return OperationStatus::timed_out;
        default: return OperationStatus::failed;
    }
}

/// The value as JSON where it is JSON.
std::optional<boost::json::value> json_of(const std::any& value) {
    if (const auto* const object = std::any_cast<boost::json::object>(&value)) {
        return *object;
    }
    if (const auto* const plain = std::any_cast<boost::json::value>(&value)) {
        return *plain;
    }
    return std::nullopt;
}

Error no_value(const OperationRecord& record) {
    return fail(Errc::conflict,
                fmt::format("operation {} ({}) is {}, and its value was not kept; make the request again under an id "
                            "of its own",
                            record.id, record.type, to_string(record.status)),
                {{"operation_id", record.id}, {"status", to_string(record.status)}});
}

boost::json::object state_data(const OperationRecord& record) {
    boost::json::object data{{"status", to_string(record.status)}};
    if (record.attempt > 1) {
        data["attempt"] = record.attempt;
    }
    if (record.reason) {
        data["reason"] = boost::json::object{
            {"code", to_string(record.reason->code)}, {"text", record.reason->text}, {"origin", record.reason->origin}};
    }
    if (record.error) {
        data["error"] = boost::json::object{{"code", to_string(record.error->code)},
                                            {"message", record.error->message},
                                            {"retryable", is_retryable(record.error->code)}};
    }
    return data;
}

}  // namespace

Operation::Operation(OperationSpec spec, CancellationToken token, const Clock& clock, std::weak_ptr<OperationHome> home)
    : token_(std::move(token)),
      clock_(clock),
      store_(spec.store),
      home_(std::move(home)),
      record_(first_record(std::move(spec), clock.utc_now())),
      progress_(record_.id, clock),
      announced_(record_.status),
      durable_(store_ && store_->durable()),
      admitted_(!durable_) {
    log_event(OperationEventKind::state, state_data(record_));
    if (durable_) {
        queue_change(true);
    } else {
        published_ = log_.last_seq();
    }
}

Operation::Operation(OperationRecord record, CancellationToken token, const Clock& clock,
                     std::shared_ptr<OperationStore> store, std::weak_ptr<OperationHome> home)
    : token_(std::move(token)),
      clock_(clock),
      store_(std::move(store)),
      home_(std::move(home)),
      record_(std::move(record)),
      progress_(record_.id, clock),
      announced_(record_.status),
      log_(record_.last_seq),
      published_(record_.last_seq),
      stored_seq_(record_.last_seq),
      durable_(store_ && store_->durable()),
      first_(false),
      admitted_(true) {
    if (is_terminal(record_.status)) {
        if (record_.result) {
            value_.emplace(*record_.result);
        }
        outcome_read_ = true;  // By somebody of the time when it ended.
    }
}

void Operation::watch_token() {
    if (is_terminal(record_.status)) {
        return;
    }
    cancel_registration_ = token_.on_cancel([this](const CancelReason&) {
        {
            const std::scoped_lock lock(mutex_);
            notice_cancel();
        }
        flush();
    });
}

OperationStatus Operation::status() const {
    const std::scoped_lock lock(mutex_);
    return seen_status();
}

// The token's callback comes a moment after the cancel; a reader does not have to wait for it.
OperationStatus Operation::seen_status() const {
    const bool stopping = !is_terminal(record_.status) && token_.is_cancelled();
    return stopping ? OperationStatus::cancelling : announced_;
}

OperationRecord Operation::record() {
    OperationRecord copy;
    {
        const std::scoped_lock lock(mutex_);
        notice_cancel();
        copy = announced_record();
    }
    flush();
    return copy;
}

OperationRecord Operation::announced_record() {
    // What was late may be there by now.
    record_.durable = record_.durable || (durable_ && !store_->lacks(record_.id));
    OperationRecord copy = record_;
    copy.status = seen_status();
    copy.last_seq = published_;
    if (!is_terminal(announced_)) {
        copy.progress = std::make_shared<const ProgressState>(progress_.snapshot());
        copy.cancel_observed.reset();
        copy.stopped.reset();
        copy.error.reset();
        copy.result.reset();
    }
    return copy;
}

void Operation::when_admitted(std::function<void()> begin) {
    {
        const std::scoped_lock lock(mutex_);
        if (!admitted_) {
            begin_ = std::exchange(begin, nullptr);
        }
    }
    if (begin) {
        begin();
    }
    flush();
}

Result<void> Operation::start() {
    {
        const std::scoped_lock lock(mutex_);
        const OperationStatus now = seen_status();
        if (now != OperationStatus::pending && now != OperationStatus::resuming) {
            return fail(Errc::conflict,
                        fmt::format("operation {} cannot be started: it is {}, not pending", id(), to_string(now)),
                        {{"operation_id", id()}, {"status", to_string(now)}});
        }
        record_.started = clock_.utc_now();
        progress_.work_begins();
        move_to(OperationStatus::running);
    }
    flush();
    return {};
}

bool Operation::request_cancel(CancelReason reason) {
    {
        // Under the lock, so that a finish cannot come between the look and the cancel. Tokens only post from here.
        const std::scoped_lock lock(mutex_);
        if (is_terminal(record_.status) || !token_.cancel(std::move(reason))) {
            return false;
        }
        notice_cancel();
    }
    flush();
    return true;
}

void Operation::notice_cancel() {
    if (is_terminal(record_.status) || record_.status == OperationStatus::cancelling || !token_.is_cancelled()) {
        return;
    }
    record_.cancel_requested = clock_.utc_now();
    record_.reason = std::make_shared<const CancelReason>(*token_.reason());
    move_to(OperationStatus::cancelling);
}

void Operation::move_to(OperationStatus next) {
    if (!may_follow(record_.status, next)) {
        throw ErrorException(fail(Errc::internal, fmt::format("operation {} cannot go from {} to {}", id(),
                                                              to_string(record_.status), to_string(next))));
    }
    record_.status = next;
    log_event(OperationEventKind::state, state_data(record_));
    if (durable_) {
        queue_change(true);
        return;
    }
    if (is_terminal(next) && store_ && !store_->durable()) {
        store_->write(make_change(), [](const Result<void>&) {});
    }
    announce(next, log_.last_seq());
}

void Operation::announce(OperationStatus status, std::uint64_t seq) {
    announced_ = status;
    published_ = unwritten_edges_ == 0 ? log_.last_seq() : std::max(published_, seq);
    queue_for_all(Delivery::Kind::events);
    if (is_terminal(status)) {
        for (auto& state : std::exchange(last_states_, {})) {
            queue_for_all(Delivery::Kind::progress, std::move(state));
        }
        queue_for_all(Delivery::Kind::end);
        // Under the lock: who sees the end finds it nowhere among those that are alive.
        if (const auto home = home_.lock()) {
            home->ended(id());
        }
        stopped_.notify_all();
    }
}

void Operation::finish(Result<std::any> outcome) {
    {
        const std::scoped_lock lock(mutex_);
        if (is_terminal(record_.status)) {
            return;
        }
        settle(std::move(outcome));
    }
    flush();
}

void Operation::settle(Result<std::any> outcome) {
    const UtcTime now = clock_.utc_now();
    notice_cancel();
    if (record_.status == OperationStatus::cancelling) {
        record_.cancel_observed = now;
        outcome = failed(cancelled_error(*record_.reason, fmt::format("operation {} ({})", id(), record_.type)));
    } else if (record_.status != OperationStatus::running && outcome) {
        record_.started = now;
        move_to(OperationStatus::running);
    }
    record_.stopped = now;
    if (outcome) {
        if (auto json = json_of(*outcome)) {
            record_.result = std::move(json);
        }
        progress_.finish();
    } else {
        // A value that comes all the same is nobody's.
        record_.result.reset();
        const Error& error = outcome.error();
        record_.error = std::make_shared<const Error>(
            Error{error.code, kept_text(error.message), kept_json(boost::json::object(error.context))});
        progress_.close(record_.error->message);
    }
    for (auto& edge : progress_.take_edges()) {
        last_states_.push_back(std::make_shared<const ProgressState>(std::move(edge)));
    }
    if (last_states_.empty()) {
        // The work called `finish` on its progress, and a sampler has taken that edge.
        last_states_.push_back(std::make_shared<const ProgressState>(progress_.snapshot()));
    }
    for (const auto& state : last_states_) {
        log_progress(state);
    }
    record_.progress = last_states_.back();
    const OperationStatus last = final_status(outcome);
    if (log_enabled(LogLevel::debug)) {
        log(LogLevel::debug, "operations",
            fmt::format("{} {}: {}", record_.type, to_string(last), outcome ? "done" : record_.error->message), id());
    }
    if (outcome) {
        value_ = std::move(*outcome);
    }
    move_to(last);
}

void Operation::log_event(OperationEventKind kind, boost::json::object data) {
    log_.append({0, clock_.utc_now(), kind, std::move(data), {}});
}

void Operation::log_progress(std::shared_ptr<const ProgressState> state) {
    log_.append({0, clock_.utc_now(), OperationEventKind::progress, {}, std::move(state)});
}

void Operation::add_event(OperationEventKind kind, boost::json::object data) {
    data = kept_json(std::move(data));
    {
        const std::scoped_lock lock(mutex_);
        if (is_terminal(record_.status)) {
            return;
        }
        if (kind == OperationEventKind::warning && record_.warnings.size() < most_warnings) {
            record_.warnings.emplace_back(data.at("message").as_string());
        } else if (kind == OperationEventKind::warning && record_.warnings.size() == most_warnings) {
            record_.warnings.emplace_back("… (more warnings came; they are in the event log)");
        }
        log_event(kind, std::move(data));
        publish_events();
    }
    flush();
}

void Operation::publish_events() {
    if (unwritten_edges_ == 0) {
        published_ = log_.last_seq();
        queue_for_all(Delivery::Kind::events);
    }
}

void Operation::add_warning(std::string warning) {
    add_event(OperationEventKind::warning, {{"message", std::move(warning)}});
}

void Operation::add_metric(boost::json::object metric) {
    add_event(OperationEventKind::metric, std::move(metric));
}

void Operation::add_log(std::string message, boost::json::object facts) {
    // In front, so that it stays where there are too many facts.
    boost::json::object data{{"message", std::move(message)}};
    for (auto& [name, fact] : facts) {
        data.emplace(name, std::move(fact));
    }
    add_event(OperationEventKind::log, std::move(data));
}

void Operation::set_summary(boost::json::value summary) {
    const std::scoped_lock lock(mutex_);
    if (!is_terminal(record_.status)) {
        record_.result = std::move(summary);
    }
}

bool Operation::wait_for(std::chrono::nanoseconds timeout) {
    std::unique_lock lock(mutex_);
    return stopped_.wait_for(lock, std::min(timeout, longest), [this] { return is_terminal(announced_); });
}

Result<std::any> Operation::result() {
    const std::scoped_lock lock(mutex_);
    if (!is_terminal(announced_)) {
        return failed(fail(Errc::conflict,
                           fmt::format("operation {} has no result yet: it is {}", id(), to_string(seen_status())),
                           {{"operation_id", id()}, {"status", to_string(seen_status())}}));
    }
    outcome_read_ = true;
    if (record_.error) {
        return failed(*record_.error);
    }
    return value_ ? Result<std::any>(*value_) : failed(no_value(record_));
}

Result<std::vector<OperationEvent>> Operation::events(const EventQuery& query) const {
    if (const auto checked = check(query); !checked) {
        return checked.error();
    }
    const std::scoped_lock lock(mutex_);
    return log_.read(query, published_);
}

std::uint64_t Operation::first_seq() const {
    const std::scoped_lock lock(mutex_);
    return log_.first_seq();
}

bool Operation::is_admitted() const {
    const std::scoped_lock lock(mutex_);
    return admitted_;
}

bool Operation::is_stored() const {
    const std::scoped_lock lock(mutex_);
    return durable_ && admitted_;
}

void Operation::retain() {
    const std::scoped_lock lock(mutex_);
    ++handles_;
    had_handle_ = true;
}

void Operation::release() {
    {
        const std::scoped_lock lock(mutex_);
        --handles_;
    }
    report_unread_failure();
}

// Once: by whoever comes last, the end of the work or the last handle.
void Operation::report_unread_failure() {
    std::string message;
    {
        const std::scoped_lock lock(mutex_);
        const bool failed_unread = announced_ == OperationStatus::failed || announced_ == OperationStatus::timed_out;
        if (!failed_unread || handles_ > 0 || !had_handle_ || std::exchange(outcome_read_, true)) {
            return;
        }
        message = record_.error->message;
    }
    log(LogLevel::error, "operations", fmt::format("a failure that nobody looked at: {}", message), id());
}

}  // namespace ktrdr
