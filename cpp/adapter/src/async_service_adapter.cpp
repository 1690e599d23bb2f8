#include <ktrdr/adapter/async_service_adapter.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <string_view>

#include <ktrdr/coroutines/gate.hpp>
#include <ktrdr/adapter/operation_observer.hpp>
#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/coroutines/awaited.hpp>

namespace ktrdr {
namespace asio = boost::asio;
namespace json = boost::json;
namespace {

constexpr const char* json_only = "application/json";
/// Fewer answers of a batch are not worth a crossing.
constexpr std::size_t least_part = 128;
/// To decode more takes the io thread longer than a message to another thread and back costs.
constexpr std::size_t large_answer = 64UL * 1024;

std::string_view without_query(std::string_view endpoint) {
    return endpoint.substr(0, endpoint.find('?'));
}

/// The hint with the port of an origin `http://host:port` in its place.
std::string hint_for(std::string hint, std::string_view origin) {
    constexpr std::string_view place = "{port}";
    const std::size_t host = origin.find("://") + 3;
    const std::string_view authority = origin.substr(host, origin.find('/', host) - host);
    const std::string_view port = authority.substr(authority.rfind(':') + 1);
    for (std::size_t at = hint.find(place); at != std::string::npos; at = hint.find(place, at + port.size())) {
        hint.replace(at, place.size(), port);
    }
    return hint;
}

/// What a service says of itself, or why that cannot be told.
ServiceHealth read_health(Result<json::value> answer, const Asked& asked) {
    ServiceHealth health;
    if (!answer) {
        health.error = std::move(answer).error();
        return health;
    }
    if (!answer->is_object()) {
        health.error =
            fail(Errc::protocol, fmt::format("{} answered {} with JSON that is no object", asked.service, asked.url),
                 {{"service", asked.service}, {"url", asked.url}});
        return health;
    }
    health.detail = kept_json(std::move(answer->get_object()));
    const json::value* const healthy = health.detail.if_contains("healthy");
    health.healthy = healthy == nullptr || (healthy->is_bool() && healthy->get_bool());
    return health;
}

}  // namespace

CallOptions call_options_of(const std::shared_ptr<Operation>& operation) {
    CallOptions options;
    options.cancellation_token = operation->token();
    options.operation_id = operation->id();
    options.operation = operation;
    return options;
}

json::value to_json(const ServiceHealth& health) {
    json::value error;
    if (health.error) {
        error = {{"code", to_string(health.error->code)}, {"message", health.error->message}};
    }
    const auto second = std::chrono::floor<std::chrono::seconds>(health.checked_at);
    return {{"healthy", health.healthy},
            {"detail", health.detail},
            {"error", std::move(error)},
            {"checked_at", fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(second)))},
            {"response_time_ms", std::chrono::duration<double, std::milli>(health.response_time).count()},
            {"cached", health.cached}};
}

/// The calls of a batch, taken one after the other by as many lanes as there are connections.
struct AsyncServiceAdapter::Batch {
    std::vector<ServiceCall> requests;
    CallOptions options;
    /// Of all its calls.
    CancellationToken token;
    bool stop_at_error;
    BatchHandler on_part;
    std::vector<std::optional<Result<json::value>>> answers{};
    /// How many from the first on have their answer, and how many of these were handed over.
    std::size_t answered{0};
    std::size_t told{0};
    std::size_t next{0};
    std::size_t lanes{0};
    Gate done{};

    /// The answers from the last one told up to `end`.
    [[nodiscard]] JsonOutcomes take(std::size_t end) {
        JsonOutcomes part;
        part.reserve(end - told);
        for (; told < end; ++told) {
            part.push_back(std::move(*answers[told]));
        }
        return part;
    }
    void hand_over() {
        while (answered < answers.size() && answers[answered]) {
            ++answered;
        }
        if (on_part && answered - told >= least_part) {
            on_part(take(answered));
        }
    }
};

/// An answer on its way through another thread, and who waits for it.
struct AsyncServiceAdapter::LargeAnswer {
    std::string base_url;
    Asked asked;
    Response response;
    /// Empty once it was told, by whichever comes first. Of the io thread, as is the registration.
    JsonHandler done;
    CancelRegistration registration{};
    Result<json::value> decoded{};

    void decode() { decoded = json_answer(base_url, asked, response); }
    void tell(Result<json::value> outcome) {
        registration.reset();
        if (const JsonHandler handler = std::exchange(done, nullptr)) {
            handler(std::move(outcome));
        }
    }
};

AsyncServiceAdapter::AsyncServiceAdapter(ServiceIdentity identity, std::shared_ptr<HttpClient> client,
                                         ServiceThreads threads)
    : identity_(std::move(identity)), client_(std::move(client)), threads_(threads) {}

AsyncServiceAdapter::~AsyncServiceAdapter() = default;

void AsyncServiceAdapter::call_get(std::string endpoint, CallOptions options, JsonHandler done) {
    Request request = make_request("GET", std::move(endpoint), options, json_only);
    call(std::move(request), std::move(options), std::move(done));
}

void AsyncServiceAdapter::call_post(std::string endpoint, const json::value& data, CallOptions options,
                                    JsonHandler done) {
    Request request = make_post(std::move(endpoint), data, options, json_only);
    call(std::move(request), std::move(options), std::move(done));
}

asio::awaitable<Result<json::value>> AsyncServiceAdapter::call_get(std::string endpoint, CallOptions options) {
    return awaited<Result<json::value>>(
        [this, endpoint = std::move(endpoint), options = std::move(options)](JsonHandler done) mutable {
            call_get(std::move(endpoint), std::move(options), std::move(done));
        });
}

asio::awaitable<Result<json::value>> AsyncServiceAdapter::call_post(std::string endpoint, json::value data,
                                                                    CallOptions options) {
    return awaited<Result<json::value>>([this, endpoint = std::move(endpoint), data = std::move(data),
                                         options = std::move(options)](JsonHandler done) mutable {
        call_post(std::move(endpoint), data, std::move(options), std::move(done));
    });
}

asio::awaitable<Result<Response>> AsyncServiceAdapter::call_post_for(std::string accept, std::string endpoint,
                                                                     json::value data, CallOptions options) {
    return awaited<Result<Response>>([this, accept = std::move(accept), endpoint = std::move(endpoint),
                                      data = std::move(data),
                                      options = std::move(options)](AnswerHandler done) mutable {
        Request request = make_post(std::move(endpoint), data, options, std::move(accept));
        send(std::move(request), std::move(options), std::move(done));
    });
}

asio::awaitable<Result<Response>> AsyncServiceAdapter::call_get_for(std::string accept, std::string endpoint,
                                                                    CallOptions options) {
    return awaited<Result<Response>>([this, accept = std::move(accept), endpoint = std::move(endpoint),
                                      options = std::move(options)](AnswerHandler done) mutable {
        Request request = make_request("GET", std::move(endpoint), options, std::move(accept));
        send(std::move(request), std::move(options), std::move(done));
    });
}

void AsyncServiceAdapter::send(Request request, CallOptions options, AnswerHandler done) {
    const CancellationToken token = std::move(options.cancellation_token);
    Asked asked{get_service_name(), request.method, std::string(without_query(request.url))};
    auto told = [this, operation_id = std::move(options.operation_id), asked = std::move(asked),
                 done = std::move(done)](Result<Response> response) mutable {
        Result<Response> good = successful(std::move(response), std::move(asked));
        done(good ? std::move(good) : with_facts(std::move(good).error(), operation_id));
    };
    client_->send(std::move(request), token, std::move(told));
}

asio::awaitable<JsonOutcomes> AsyncServiceAdapter::call_batch(std::vector<ServiceCall> requests, CallOptions options,
                                                              bool stop_at_error, BatchHandler on_part) {
    const std::size_t count = requests.size();
    const auto batch = std::make_shared<Batch>(std::move(requests), options, options.cancellation_token.child(),
                                               stop_at_error, std::move(on_part));
    batch->answers.resize(count);
    batch->options.cancellation_token = batch->token;
    batch->lanes = std::min(count, max_connections());
    for (std::size_t lane = batch->lanes; lane > 0; --lane) {
        call_next(batch);
    }
    if (count > 0) {
        co_await batch->done.wait();
    }
    co_return batch->take(count);
}

void AsyncServiceAdapter::call_next(const std::shared_ptr<Batch>& batch) {
    if (batch->next == batch->requests.size()) {
        if (--batch->lanes == 0) {
            batch->done.open();
        }
        return;
    }
    const std::size_t index = batch->next++;
    ServiceCall& request = batch->requests[index];
    CallOptions options = batch->options;
    options.idempotent = request.idempotent;
    options.idempotency_key = std::move(request.idempotency_key);
    JsonHandler done = [this, batch, index](Result<json::value> answer) {
        const bool failed = answer.has_error();
        batch->answers[index].emplace(std::move(answer));
        if (failed && batch->stop_at_error) {
            batch->token.cancel({CancelCode::user, "another call of its batch failed", get_service_name()});
        }
        batch->hand_over();
        call_next(batch);
    };
    if (request.data) {
        call_post(std::move(request.endpoint), *request.data, std::move(options), std::move(done));
    } else {
        call_get(std::move(request.endpoint), std::move(options), std::move(done));
    }
}

std::shared_ptr<EventStream> AsyncServiceAdapter::events(std::string endpoint, std::string last_event_id,
                                                         CallOptions options,
                                                         std::optional<std::chrono::milliseconds> patience) {
    Request request = make_request("GET", std::move(endpoint), options, json_only);
    // It lasts as long as the service goes on.
    request.announce_deadline = false;
    std::erase_if(request.defaults, [](const auto& field) { return field.first == "Accept"; });
    if (!last_event_id.empty()) {
        request.headers.emplace_back("Last-Event-ID", std::move(last_event_id));
    }
    return std::make_shared<EventStream>(client_, std::move(request), options.cancellation_token, patience);
}

asio::awaitable<Result<ServiceHealth>> AsyncServiceAdapter::check_health(std::chrono::milliseconds timeout,
                                                                         std::chrono::milliseconds cache_ttl,
                                                                         CallOptions options, std::string endpoint) {
    const auto begun = std::chrono::steady_clock::now();
    if (health_ && begun - health_checked_ < cache_ttl) {
        ServiceHealth kept = *health_;
        kept.cached = true;
        co_return kept;
    }
    if (endpoint.empty()) {
        endpoint = identity_.health_endpoint;
    }
    options.urgent = true;
    options.deadline = std::min(options.deadline.value_or(SteadyTime::max()), begun + timeout);
    const Asked asked{get_service_name(), "GET", get_base_url() + endpoint};
    auto answer = co_await call_get(std::move(endpoint), options);
    if (!answer && is_stop(answer.error().code)) {
        co_return std::move(answer).error();
    }
    ServiceHealth health = read_health(std::move(answer), asked);
    health_checked_ = std::chrono::steady_clock::now();
    health.checked_at = system_clock().utc_now();
    health.response_time = health_checked_ - begun;
    health_ = health;
    co_return health;
}

void AsyncServiceAdapter::close() {
    threads_.io.post([client = client_] { client->close(); });
}

Request AsyncServiceAdapter::make_request(std::string method, std::string endpoint, const CallOptions& options,
                                          std::string accept) const {
    Request request;
    request.method = std::move(method);
    request.url = std::move(endpoint);
    request.below_base = true;
    request.headers = identity_.headers;
    request.defaults.emplace_back("Accept", std::move(accept));
    // A host service is near: packing would cost it more time than the bytes take.
    request.decode = false;
    request.announce_deadline = true;
    request.deadline = options.deadline.value_or(SteadyTime::max());
    request.idempotent = options.idempotent;
    request.idempotency_key = options.idempotency_key;
    request.urgent = options.urgent;
    if (!options.operation_id.empty()) {
        request.defaults.emplace_back("X-Operation-Id", options.operation_id);
    }
    if (!options.operation.expired()) {
        request.observer = std::make_shared<OperationObserver>(
            options.operation,
            fmt::format("{}: {} {}", get_service_name(), request.method, without_query(request.url)));
    }
    return request;
}

Request AsyncServiceAdapter::make_post(std::string endpoint, const json::value& data, const CallOptions& options,
                                       std::string accept) const {
    Request request = make_request("POST", std::move(endpoint), options, std::move(accept));
    request.defaults.emplace_back("Content-Type", "application/json");
    request.body = json::serialize(data);
    return request;
}

Result<Response> AsyncServiceAdapter::successful(Result<Response> response, Asked asked) const {
    if (!response) {
        return no_answer(std::move(response).error());
    }
    if (is_success(response->status)) {
        return response;
    }
    asked.url.insert(0, get_base_url());
    return status_error(asked, *response);
}

void AsyncServiceAdapter::call(Request request, CallOptions options, JsonHandler done) {
    const CancellationToken token = std::move(options.cancellation_token);
    Asked asked{get_service_name(), request.method, std::string(without_query(request.url))};
    auto told = [this, operation_id = std::move(options.operation_id),
                 done = std::move(done)](Result<json::value> outcome) {
        done(outcome ? std::move(outcome) : with_facts(std::move(outcome).error(), operation_id));
    };
    auto read = [this, asked = std::move(asked), token, told = std::move(told)](Result<Response> response) mutable {
        if (response && response->body.size() > large_answer) {
            decode_elsewhere(std::move(asked), std::move(*response), token, std::move(told));
            return;
        }
        told(response ? json_answer(get_base_url(), asked, *response) : no_answer(std::move(response).error()));
    };
    client_->send(std::move(request), token, std::move(read));
}

void AsyncServiceAdapter::decode_elsewhere(Asked asked, Response response, const CancellationToken& token,
                                           JsonHandler done) const {
    auto large = std::make_shared<LargeAnswer>(get_base_url(), std::move(asked), std::move(response), std::move(done));
    large->registration = token.on_cancel([waiting = large.get()](const CancelReason& reason) {
        waiting->tell(cancelled_error(reason, fmt::format("decoding what {} answered to {} {}", waiting->asked.service,
                                                          waiting->asked.method, waiting->asked.url)));
    });
    // A cancel may end the call, and then the adapter, before this runs.
    try {
        threads_.compute.post([&io = threads_.io, large]() mutable {
            large->decode();
            io.post([large = std::move(large)] { large->tell(std::move(large->decoded)); });
        });
    } catch (...) {
        large->tell(caught("decoding the answer of a service"));
    }
}

Error AsyncServiceAdapter::no_answer(Error error) const {
    const bool unreachable = error.code == Errc::service_connection || error.context.contains("last_dial_error");
    if (unreachable && !identity_.start_hint.empty()) {
        error.message = fmt::format("{}; {}", error.message, hint_for(identity_.start_hint, get_base_url()));
    }
    return error;
}

Error AsyncServiceAdapter::with_facts(Error error, const std::string& operation_id) const {
    error.context["service"] = get_service_name();
    if (!operation_id.empty()) {
        error.context["operation_id"] = operation_id;
    }
    return error;
}

std::string encode_query(const std::vector<std::pair<std::string, std::string>>& pairs) {
    constexpr std::string_view unreserved = "-._~";
    std::string query;
    const auto append = [&](std::string_view text) {
        for (const char c : text) {
            if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                unreserved.find(c) != std::string_view::npos) {
                query.push_back(c);
            } else {
                fmt::format_to(std::back_inserter(query), "%{:02X}", static_cast<unsigned char>(c));
            }
        }
    };
    for (const auto& [name, value] : pairs) {
        query.push_back(query.empty() ? '?' : '&');
        append(name);
        query.push_back('=');
        append(value);
    }
    return query;
}

}  // namespace ktrdr
