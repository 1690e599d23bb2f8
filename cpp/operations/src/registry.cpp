#include <ktrdr/operations/registry.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>

#include <ktrdr/base/ids.hpp>
#include <ktrdr/base/log.hpp>
#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

/// A store that is locked is tried again soon; it must not hold up the others.
constexpr std::chrono::milliseconds short_wait{20};

bool alive(const Operation& operation) {
    return !is_terminal(operation.status());
}

Result<void> check_spec(const OperationSpec& spec, std::optional<std::chrono::nanoseconds> timeout) {
    if (const auto type = check_id("type", spec.type); !type) {
        return type.error();
    }
    if (const auto id = spec.id.empty() ? Result<void>{} : check_id("operation_id", spec.id); !id) {
        return id.error();
    }
    if (timeout && *timeout <= std::chrono::nanoseconds::zero()) {
        return fail(Errc::invalid_argument,
                    fmt::format("timeout must be positive, not {} s; leave it out for none",
                                std::chrono::duration<double>(*timeout).count()),
                    {{"field", "timeout"}});
    }
    return {};
}

Error conflict(const OperationRecord& record, std::string message) {
    return fail(Errc::conflict, std::move(message),
                {{"operation_id", record.id}, {"type", record.type}, {"status", to_string(record.status)}});
}

}  // namespace

/// What operations know of the registry: it may be gone when they end.
class OperationRegistry::Home final : public OperationHome {
public:
    explicit Home(OperationRegistry& registry) : registry_(&registry) {}
    void ended(const std::string& id) override {
        CancelRegistration link;
        const std::scoped_lock lock(mutex_);
        if (const auto found = links_.find(id); found != links_.end()) {
            link = std::move(found->second);
            links_.erase(found);
        }
        if (registry_ != nullptr) {
            registry_->ended(id);
        }
    }
    void close() {
        Links links;
        const std::scoped_lock lock(mutex_);
        registry_ = nullptr;
        links.swap(links_);
    }
    /// Cancel the operation with its parent too: its token is another one's child.
    void link(const Operation& child, const CancellationToken& parent) {
        auto registration = parent.on_cancel([token = child.token()](const CancelReason& why) {
            token.cancel({CancelCode::parent, why.text, why.origin});
        });
        const std::scoped_lock lock(mutex_);
        links_.insert_or_assign(child.id(), std::move(registration));
    }

private:
    using Links = std::unordered_map<std::string, CancelRegistration>;

    std::mutex mutex_;
    OperationRegistry* registry_;
    Links links_{};
};

OperationRegistry::OperationRegistry(Executor& io, TimerQueue& timers, const Clock& clock,
                                     std::shared_ptr<OperationStore> store)
    : io_(io),
      timers_(timers),
      clock_(clock),
      home_(std::make_shared<Home>(*this)),
      memory_(std::make_shared<MemoryStore>()),
      default_store_(store ? std::move(store) : memory_),
      stores_{memory_} {
    if (default_store_ != memory_) {
        stores_.emplace_back(default_store_);
    }
}

OperationRegistry::~OperationRegistry() {
    home_->close();
}

Result<OperationRegistry::Created> OperationRegistry::create(OperationSpec spec, const CancellationToken& parent,
                                                             std::optional<std::chrono::nanoseconds> timeout) {
    if (const auto checked = check_spec(spec, timeout); !checked) {
        return checked.error();
    }
    if (!spec.store) {
        spec.store = default_store();
    } else {
        attach(spec.store);
    }
    auto token = make_token(spec, parent, timeout);
    if (!token) {
        return token.error();
    }
    const auto owner = spec.parent_id.empty() ? nullptr : find(spec.parent_id);
    std::optional<OperationRecord> known;
    if (spec.id.empty()) {
        spec.id = make_operation_id(spec.type, clock_);
    } else {
        if (auto there = find(spec.id); there && !spec.resume) {
            const OperationRecord record = there->record();
            return same_request(record, std::move(there), spec);
        }
        auto found = stored(spec);
        if (!found) {
            return found.error();
        }
        known = std::move(found).value();
    }
    if (known && !spec.resume) {
        auto restored = Operation::make(*known, CancellationToken{}, clock_, spec.store);
        return same_request(*known, std::move(restored), spec);
    }
    auto operation = known ? Operation::make(std::move(*known), *token, clock_, spec.store, home_)
                           : Operation::make(spec, *token, clock_, home_);
    std::shared_ptr<Operation> there;
    {
        const std::scoped_lock lock(mutex_);
        const auto [place, added] = live_.try_emplace(operation->id(), operation);
        there = added ? nullptr : place->second;
        if (added) {
            tokens_.add(operation->id(), operation->token());
        }
    }
    // Another thread was faster with the same id.
    if (there) {
        const OperationRecord record = there->record();
        return same_request(record, std::move(there), spec);
    }
    if (owner && parent != CancellationToken{} && parent != owner->token()) {
        home_->link(*operation, owner->token());
    }
    return Created{std::move(operation), true};
}

Result<CancellationToken> OperationRegistry::make_token(const OperationSpec& spec, const CancellationToken& parent,
                                                        std::optional<std::chrono::nanoseconds> timeout) const {
    CancellationToken above = parent;
    if (!spec.parent_id.empty()) {
        const auto operation = find(spec.parent_id);
        if (!operation || !alive(*operation)) {
            return fail(Errc::not_found,
                        fmt::format("the parent operation {} does not run in this process: start it first, or leave "
                                    "the parent out",
                                    spec.parent_id),
                        {{"field", "parent_id"}, {"operation_id", spec.parent_id}});
        }
        if (above == CancellationToken{}) {
            above = operation->token();
        }
    }
    if (above == CancellationToken{}) {
        above = CancellationToken::create(io_, timers_, clock_);
        return timeout ? above.child(timeout) : above;
    }
    return above.child(timeout);
}

Result<std::optional<OperationRecord>> OperationRegistry::stored(const OperationSpec& spec) const {
    if (spec.resume) {
        auto claimed = spec.store->claim(spec.id);
        if (!claimed) {
            return claimed.error();
        }
        return std::optional(std::move(claimed).value());
    }
    auto found = spec.store->find(spec.id);
    if (!found || !*found || is_terminal((*found)->status)) {
        return found;
    }
    const OperationRecord& record = **found;
    return conflict(record, record.status == OperationStatus::interrupted
                                ? fmt::format("operation {} was interrupted: resume it, or give the new request an id "
                                              "of its own",
                                              record.id)
                                : fmt::format("operation {} is {} in another process ({}): wait for it there, cancel "
                                              "it, or give the new request an id of its own",
                                              record.id, to_string(record.status), record.owner));
}

Result<OperationRegistry::Created> OperationRegistry::same_request(const OperationRecord& record,
                                                                   std::shared_ptr<Operation> there,
                                                                   const OperationSpec& spec) {
    if (record.type == spec.type && record.parameters == spec.parameters) {
        return Created{std::move(there), false};
    }
    return conflict(
        record, fmt::format("operation id {} was used for another request (a {} of {}); give the new one its own id",
                            spec.id, record.type, kept_text(boost::json::serialize(record.parameters), 1024)));
}

std::shared_ptr<Operation> OperationRegistry::find(const std::string& id) const {
    const std::scoped_lock lock(mutex_);
    if (const auto found = live_.find(id); found != live_.end()) {
        return found->second;
    }
    const auto found = ended_.find(id);
    return found == ended_.end() ? nullptr : found->second.lock();
}

std::vector<std::shared_ptr<Operation>> OperationRegistry::live() const {
    std::vector<std::shared_ptr<Operation>> all;
    {
        const std::scoped_lock lock(mutex_);
        all.reserve(live_.size());
        for (const auto& [id, operation] : live_) {
            all.push_back(operation);
        }
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
        return a->created() != b->created() ? a->created() > b->created() : a->id() > b->id();
    });
    return all;
}

void OperationRegistry::ended(const std::string& id) {
    // Destroyed after the lock is given back: what an operation holds may call in here.
    std::shared_ptr<Operation> operation;
    const std::scoped_lock lock(mutex_);
    const auto found = live_.find(id);
    if (found == live_.end()) {
        return;
    }
    operation = std::move(found->second);
    live_.erase(found);
    tokens_.remove(id);
    if (ended_.size() >= sweep_at_) {
        std::erase_if(ended_, [](const auto& entry) { return entry.second.expired(); });
        sweep_at_ = std::max<std::size_t>(64, 2 * ended_.size());
    }
    ended_.insert_or_assign(id, operation);
}

Result<bool> OperationRegistry::cancel(const std::string& id, const CancelReason& reason) {
    const auto known = locate(id);
    if (!known) {
        return known.error();
    }
    if (known->operation && alive(*known->operation)) {
        return known->operation->request_cancel(reason);
    }
    const OperationRecord record = known->operation ? known->operation->record() : known->record;
    if (!is_active(record.status)) {
        return conflict(
            record, fmt::format("operation {} is {}: there is nothing left to cancel", id, to_string(record.status)));
    }
    return known->store->request_cancel(id,
                                        {reason.code, kept_text(reason.text), kept_text(reason.origin, longest_name)});
}

void OperationRegistry::register_kind(OperationKind kind) {
    const std::scoped_lock lock(mutex_);
    kinds_.insert_or_assign(kind.type, std::move(kind));
}

Result<OperationRecord> OperationRegistry::check_retry(const std::string& id) const {
    auto known = sound_record(id);
    if (known && is_active(known->status)) {
        return conflict(
            *known, fmt::format("operation {} is {}: cancel it before it is made again", id, to_string(known->status)));
    }
    return known;
}

Result<OperationRecord> OperationRegistry::sound_record(const std::string& id) const {
    auto known = record(id);
    if (known && !known->damage.empty()) {
        return fail(Errc::storage, known->warnings.back(), {{"operation_id", id}});
    }
    return known;
}

Result<OperationRecord> OperationRegistry::check_resume(const std::string& id) const {
    auto known = sound_record(id);
    if (!known) {
        return known;
    }
    if (known->status != OperationStatus::interrupted) {
        return conflict(*known, fmt::format("operation {} is {}: only an interrupted one can go on; retry makes the "
                                            "same request again",
                                            id, to_string(known->status)));
    }
    if (!known->resumable) {
        return conflict(*known, fmt::format("operation {} is a {}, which cannot go on in the middle; retry makes the "
                                            "same request again",
                                            id, known->type));
    }
    return known;
}

Result<std::shared_ptr<Operation>> OperationRegistry::retry(const std::string& id) {
    auto known = check_retry(id);
    if (!known) {
        return known.error();
    }
    return start_again({.type = known->type, .parameters = std::move(known->parameters), .name = known->name});
}

Result<std::shared_ptr<Operation>> OperationRegistry::resume(const std::string& id) {
    auto known = check_resume(id);
    if (!known) {
        return known.error();
    }
    return start_again({.type = known->type,
                        .id = id,
                        .parameters = std::move(known->parameters),
                        .name = known->name,
                        .resumable = true,
                        .resume = true});
}

Result<std::shared_ptr<Operation>> OperationRegistry::start_again(OperationSpec spec) {
    OperationKind kind;
    {
        const std::scoped_lock lock(mutex_);
        const auto found = kinds_.find(spec.type);
        if (found == kinds_.end()) {
            return fail(Errc::conflict,
                        fmt::format("operations of type {} cannot be started from their record in this process: "
                                    "register the type with a function that starts one",
                                    spec.type),
                        {{"type", spec.type}});
        }
        kind = found->second;
    }
    return kind.start(std::move(spec));
}

void OperationRegistry::attach(const std::shared_ptr<OperationStore>& store) {
    const auto known = stores();
    const std::scoped_lock lock(mutex_);
    std::erase_if(stores_, [](const auto& other) { return other.expired(); });
    if (std::find(known.begin(), known.end(), store) == known.end()) {
        stores_.emplace_back(store);
    }
}

void OperationRegistry::set_default_store(std::shared_ptr<OperationStore> store) {
    attach(store);
    const std::scoped_lock lock(mutex_);
    default_store_ = std::move(store);
}

std::shared_ptr<OperationStore> OperationRegistry::default_store() const {
    const std::scoped_lock lock(mutex_);
    return default_store_;
}

OperationRegistry::Stores OperationRegistry::stores() const {
    Stores alive;
    const std::scoped_lock lock(mutex_);
    for (const auto& store : stores_) {
        if (auto there = store.lock()) {
            alive.push_back(std::move(there));
        }
    }
    return alive;
}

bool OperationRegistry::sample() {
    bool heard = false;
    for (const auto& operation : live()) {
        if (operation->has_listeners()) {
            operation->sample();
            heard = true;
        }
    }
    return heard;
}

bool OperationRegistry::watch_owners() {
    bool again = false;
    for (const auto& store : stores()) {
        if (!store->durable()) {
            continue;
        }
        again = true;
        if (const auto recovered = store->recover(); !recovered) {
            log(LogLevel::debug, "operations",
                fmt::format("cannot look for processes that have died: {}", recovered.error().message));
        }
    }
    return again;
}

bool OperationRegistry::tend() {
    bool again = false;
    for (const auto& operation : live()) {
        if (operation->store()->durable()) {
            operation->save_progress();
            again = true;
        }
    }
    Stores late;
    for (const auto& store : stores()) {
        if (store->write_kept(short_wait)) {
            late.push_back(store);
            again = true;
        }
        const auto requests = store->take_cancel_requests();
        if (!requests) {
            log(LogLevel::warning, "operations",
                fmt::format("cannot see cancels of other processes: {}", requests.error().message));
            continue;
        }
        for (const CancelRequest& request : *requests) {
            if (const auto operation = find(request.id)) {
                operation->request_cancel(request.reason);
            }
        }
    }
    // Kept alive: what they hold is nowhere else.
    const std::scoped_lock lock(mutex_);
    late_stores_.swap(late);
    return again;
}

void OperationRegistry::answer_late() {
    for (const auto& store : stores()) {
        store->answer_late();
    }
}

void OperationRegistry::write_kept(std::chrono::milliseconds patience) {
    for (const auto& store : stores()) {
        (void)store->write_kept(patience);
    }
}

}  // namespace ktrdr
