#include <ktrdr/data/ib_data_adapter.hpp>

#include <boost/asio/co_spawn.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <string_view>

#include <ktrdr/adapter/service_errors.hpp>
#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/ids.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/data/ib_answers.hpp>
#include <ktrdr/http/date.hpp>
#include <ktrdr/market/time_text.hpp>

#include <ktrdr/coroutines/gate.hpp>
#include <ktrdr/coroutines/pause.hpp>
#include <ktrdr/coroutines/run_on.hpp>

namespace ktrdr {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

/// All three calls only read, so that a request may be sent again.
CallOptions options_of(const SourceCall& call) {
    CallOptions options;
    options.cancellation_token = call.token;
    options.idempotent = true;
    options.operation_id = call.operation_id;
    options.operation = call.operation;
    return options;
}

/// What IB answers in one request without trouble, per length of bar.
std::chrono::days request_span(const Timeframe& timeframe) {
    using std::chrono::days;
    constexpr days year{365};
    const int count = timeframe.count();
    switch (timeframe.unit()) {
        case Timeframe::Unit::minute:
            return days{count == 1 ? 7 : count <= 3 ? 14 : count <= 10 ? 30 : count <= 20 ? 60 : 120};
        case Timeframe::Unit::hour: return count < 4 ? days{180} : year;
        case Timeframe::Unit::day: return 2 * year;
        case Timeframe::Unit::week:
        case Timeframe::Unit::month: break;
    }
    return 10 * year;
}

/// What nobody asks for is left out: a service that knows only the fields of the contract brings the usual bars.
void add_kind(json::object& body, const SeriesKind& kind) {
    if (!kind.instrument_type.empty()) {
        body["instrument_type"] = kind.instrument_type;
    }
    if (!kind.usual()) {
        body["what_to_show"] = kind.what_to_show;
        body["session"] = kind.session;
    }
}

/// Services hand IB a duration counted back from the end, and the shorter ones of them count hours, which IB does not
/// know: it refuses these with error 321. What lies before the segment is cut off again.
TimeRange at_least_a_day(TimeRange segment) {
    constexpr std::chrono::days day{1};
    return {std::min(segment.start, segment.end - day), segment.end};
}

/// How long an answer may take before the service is asked what it waits for, and how often it is then.
constexpr std::chrono::seconds between_looks{2};
/// So many warnings of one answer are told.
constexpr std::size_t most_warnings = 100;

/// What a service says beside its answer, each for a person.
void tell_warnings(const json::value& answer, const SourceCall& call) {
    const json::object* const object = answer.if_object();
    const json::value* const given = object == nullptr ? nullptr : object->if_contains("warnings");
    const json::array* const texts = given == nullptr ? nullptr : given->if_array();
    if (texts == nullptr || !call.warn) {
        return;
    }
    for (std::size_t i = 0; i < std::min(texts->size(), most_warnings); ++i) {
        if (const json::string* const text = (*texts)[i].if_string()) {
            call.warn(std::string(*text));
        }
    }
}

/// The service has no such endpoint.
bool is_unknown(const Error& error) {
    const json::value* const status = error.context.if_contains("status");
    return error.code == Errc::status && status != nullptr && (*status == 404 || *status == 405);
}

constexpr const char* bars_endpoint = "/data/historical";
constexpr std::string_view arrow_stream = "application/vnd.apache.arrow.stream";
/// A service that knows only JSON does not look.
constexpr const char* bar_formats = "application/vnd.apache.arrow.stream, application/json;q=0.5";
/// A stream does not say of which series it is, and bars other than the usual ones have to.
constexpr const char* told_formats = "application/json";

/// Whether the answer says that it is such a stream, with parameters or without.
bool is_arrow(const Response& response) {
    const std::string* const header = find_header(response.headers, "Content-Type");
    if (header == nullptr) {
        return false;
    }
    return lower_ascii(header->substr(0, header->find_first_of("; \t"))) == arrow_stream;
}

Result<SourceAnswer> read_answer(const Response& response, const BarsWanted& wanted, const std::string& asked,
                                 Asked request, const SourceCall& call) {
    if (is_arrow(response)) {
        return read_historical_arrow(response.body, wanted, asked, call.token);
    }
    if (auto read = read_usual_historical(response.body, wanted, asked, call.token)) {
        return std::move(*read);
    }
    const auto answer = json_answer("", std::move(request), response);
    if (answer) {
        tell_warnings(*answer, call);
        return read_historical(*answer, wanted, asked, call.token);
    }
    Error error = answer.error();
    if (!call.operation_id.empty()) {
        error.context["operation_id"] = call.operation_id;
    }
    return error;
}

}  // namespace

ServiceIdentity IbDataAdapter::identity() {
    // By it a service lets clients take turns, however many requests each has.
    static const std::string client = make_uuid7(system_clock());
    return {.name = "ib", .type = "data", .start_hint = start_hint, .headers = {{"X-Client-Id", client}}};
}

IbDataAdapter::IbDataAdapter(std::shared_ptr<AsyncServiceAdapter> service, Executor& compute, const Clock& clock)
    : service_(std::move(service)), turns_(service_->max_connections()), compute_(compute), clock_(clock) {}

SourceLimits IbDataAdapter::describe(const Timeframe& timeframe) const {
    // Twice the usual is tried where requests cost much for themselves.
    const std::chrono::nanoseconds first = request_span(timeframe);
    return {.max_span = 2 * first, .max_in_flight = service_->max_connections(), .first_span = first};
}

asio::awaitable<Result<json::value>> IbDataAdapter::get(std::string endpoint, SourceCall call) {
    const auto turn = co_await turns_.enter(call.token);
    if (!turn) {
        co_return turn.error();
    }
    co_return co_await service_->call_get(std::move(endpoint), options_of(call));
}

asio::awaitable<Result<json::value>> IbDataAdapter::post(std::string endpoint, json::value body, SourceCall call) {
    const auto turn = co_await turns_.enter(call.token);
    if (!turn) {
        co_return turn.error();
    }
    co_return co_await service_->call_post(std::move(endpoint), std::move(body), options_of(call));
}

asio::awaitable<Result<Response>> IbDataAdapter::post_for_bars(json::value body, SourceCall call) {
    const auto turn = co_await turns_.enter(call.token);
    if (!turn) {
        co_return turn.error();
    }
    const char* const formats = call.kind.usual() ? bar_formats : told_formats;
    co_return co_await service_->call_post_for(formats, bars_endpoint, std::move(body), options_of(call));
}

template <class Answer>
asio::awaitable<Result<Answer>> IbDataAdapter::heard(asio::awaitable<Result<Answer>> asking, SourceCall call) {
    if (!may_warn_ || !call.warn || call.operation_id.empty()) {
        Result<Answer> unheard = co_await std::move(asking);
        co_return unheard;
    }
    const CancellationToken until = call.token.child();
    const auto silent = std::make_shared<Gate>();
    const auto io = co_await asio::this_coro::executor;
    asio::co_spawn(io, listen(std::move(call), until), [silent](const std::exception_ptr&) { silent->open(); });
    Result<Answer> answer = fail(Errc::internal, "");
    try {
        answer = co_await std::move(asking);
    } catch (...) {
        answer = caught("asking the host service");
    }
    until.cancel({CancelCode::parent, "the answer is there", "ib"});
    co_await silent->wait();
    co_return answer;
}

asio::awaitable<void> IbDataAdapter::listen(SourceCall call, CancellationToken until) {
    const std::string endpoint = "/warnings" + encode_query({{"operation_id", call.operation_id}});
    CallOptions options;
    options.cancellation_token = until;
    options.operation_id = call.operation_id;
    // Every connection may wait for an answer.
    options.urgent = true;
    while (may_warn_) {
        co_await pause_for(between_looks, until);
        if (until.is_cancelled()) {
            co_return;
        }
        const auto answer = co_await service_->call_get(endpoint, options);
        if (answer) {
            tell_warnings(*answer, call);
        } else if (is_unknown(answer.error())) {
            may_warn_ = false;
        }
    }
}

asio::awaitable<Result<Contract>> IbDataAdapter::validate_symbol(std::string symbol, Timeframe timeframe,
                                                                 SourceCall call) {
    json::object body{{"symbol", symbol}, {"timeframes", json::array{timeframe.name()}}};
    if (!call.kind.instrument_type.empty()) {
        body["instrument_type"] = call.kind.instrument_type;
    }
    auto asking = post("/data/validate", std::move(body), call);
    const auto answer = co_await heard(std::move(asking), call);
    if (!answer) {
        co_return answer.error();
    }
    tell_warnings(*answer, call);
    co_return read_validation(*answer, symbol, fmt::format("POST {}/data/validate", service_->get_base_url()));
}

asio::awaitable<Result<std::optional<UtcTime>>> IbDataAdapter::first_timestamp(std::string symbol, Timeframe timeframe,
                                                                               SourceCall call) {
    std::vector<std::pair<std::string, std::string>> asked{{"symbol", symbol},
                                                           {"timeframe", std::string(timeframe.name())}};
    if (!call.kind.instrument_type.empty()) {
        asked.emplace_back("instrument_type", call.kind.instrument_type);
    }
    auto asking = get("/data/head-timestamp" + encode_query(asked), call);
    const auto answer = co_await heard(std::move(asking), call);
    if (!answer) {
        co_return answer.error();
    }
    tell_warnings(*answer, call);
    co_return read_head_timestamp(*answer, fmt::format("GET {}/data/head-timestamp", service_->get_base_url()));
}

asio::awaitable<Result<SourceAnswer>> IbDataAdapter::fetch(std::string symbol, Timeframe timeframe, TimeRange segment,
                                                           SourceCall call) {
    const TimeRange range = at_least_a_day(segment);
    json::object body{{"symbol", symbol},
                      {"timeframe", timeframe.name()},
                      {"start", format_time(range.start)},
                      {"end", format_time(range.end)}};
    // Bars that close while the answer is on its way may be half made in it.
    const BarsWanted wanted{call.grid_of(timeframe), segment, clock_.utc_now(), range, call.kind};
    add_kind(body, call.kind);
    auto asking = post_for_bars(std::move(body), call);
    auto answer = co_await heard(std::move(asking), call);
    if (!answer) {
        co_return answer.error();
    }
    const std::string asked =
        fmt::format("POST {}/data/historical for {} {} from {} to {}", service_->get_base_url(), symbol,
                    timeframe.name(), format_time(segment.start), format_time(segment.end));
    const auto whole = std::make_shared<const Response>(std::move(*answer));
    std::function<Result<SourceAnswer>()> decode = [whole, wanted, asked, call, name = service_->get_service_name(),
                                                    url = service_->get_base_url()] {
        auto read = read_answer(*whole, wanted, asked, {name, "POST", url + bars_endpoint}, call);
        if (read) {
            read->provider_now = date_of(whole->headers);
        }
        return read;
    };
    co_return co_await run_on<SourceAnswer>(compute_, std::move(decode));
}

}  // namespace ktrdr
