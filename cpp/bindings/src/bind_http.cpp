// Room http: options, requests whose answers come as mail, streams and events.

#include <fmt/format.h>
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <boost/json/serialize.hpp>

#include <ktrdr/adapter/service_errors.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/base/sent_json.hpp>
#include <ktrdr/http/multipart.hpp>
#include <ktrdr/runtime/http_calls.hpp>

#include "bind.hpp"
#include "bind_pool.hpp"
#include "convert.hpp"
#include "gil.hpp"
#include "options.hpp"
#include "request.hpp"
#include "value.hpp"

namespace ktrdr::bindings {
namespace {

void bind_options(py::module_& module) {
    OptionsClass<PoolOptions>(module, "PoolOptions", "How connections to one service are kept. Times in seconds.")
        .number("max_connections", &PoolOptions::max_connections, "Most sockets open at once, busy and idle.")
        .number("urgent_connections", &PoolOptions::urgent_connections, "More, that only urgent requests get.")
        .number("max_streams", &PoolOptions::max_streams, "Most streams at once, over sockets of their own.")
        .number("max_waiters", &PoolOptions::max_waiters, "Most requests waiting for a connection.")
        .number("min_idle", &PoolOptions::min_idle, "Sockets kept open and idle.")
        .time("idle_timeout", &PoolOptions::idle_timeout, "How long an idle socket is kept.")
        .time("server_idle_timeout", &PoolOptions::server_idle_timeout,
              "How long the server keeps one; 0 where that is not known.")
        .time("max_lifetime", &PoolOptions::max_lifetime, "A socket carries no new request after this time.")
        .time("dial_backoff", &PoolOptions::dial_backoff, "Wait before the next dial after one that failed.")
        .time("max_dial_backoff", &PoolOptions::max_dial_backoff, "The longest of these waits.")
        .number("max_head_bytes", &PoolOptions::max_head_bytes, "Most bytes of an answer's head.")
        .number("max_body_bytes", &PoolOptions::max_body_bytes, "Most bytes of an answer's body.")
        .done();
    OptionsClass<Timeouts>(module, "Timeouts", "Limits of a request's phases, in seconds.")
        .time("pool", &Timeouts::pool, "Waiting for a connection.")
        .time("resolve", &Timeouts::resolve, "Looking up the host's name.")
        .time("connect", &Timeouts::connect, "Connecting to one address.")
        .time("tls", &Timeouts::tls, "The TLS handshake.")
        .time("write", &Timeouts::write, "Writing the request.")
        .time("first_byte", &Timeouts::first_byte, "Until the answer begins.")
        .time("between_bytes", &Timeouts::between_bytes, "Between two pieces of the answer.")
        .time("total", &Timeouts::total, "The whole call, all attempts together.")
        .done();
    OptionsClass<RetryPolicy>(module, "RetryPolicy", "When a request is sent again. Times in seconds.")
        .number("attempts", &RetryPolicy::attempts, "How often a request is sent in all; 1 for no retry.")
        .time("first_pause", &RetryPolicy::first_pause, "A pause is drawn from 0 to this, doubled each time.")
        .time("busy_pause", &RetryPolicy::busy_pause, "The same after 429 and 503 without Retry-After.")
        .time("longest_pause", &RetryPolicy::longest_pause, "The longest pause of our own.")
        .time("longest_retry_after", &RetryPolicy::longest_retry_after, "A longer Retry-After is cut to this.")
        .number("budget", &RetryPolicy::budget, "Retries that each request earns for all of its origin.")
        .number("budget_reserve", &RetryPolicy::budget_reserve, "Retries that can be saved up.")
        .done();
    OptionsClass<TlsOptions>(module, "TlsOptions", "How https:// is trusted.")
        .path("ca_file", &TlsOptions::ca_file, "Authorities that are trusted, PEM; empty for the system's.")
        .path("certificate_file", &TlsOptions::certificate_file, "The client's own certificate, PEM.")
        .path("key_file", &TlsOptions::key_file, "The certificate's key, PEM.")
        .number("verify", &TlsOptions::verify, "False trusts anybody.")
        .done();
}

/// Bytes of a header are Latin-1 at worst (RFC 9110, 5.5).
py::object text_of(const std::string& bytes) {
    return py::reinterpret_steal<py::object>(
        PyUnicode_DecodeLatin1(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), nullptr));
}

/// Event streams are UTF-8; what is not is shown as U+FFFD.
py::object utf8_of(const std::string& bytes) {
    return py::reinterpret_steal<py::object>(
        PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "replace"));
}

py::list headers_of(const Response& response) {
    py::list headers;
    for (const auto& [name, value] : response.headers) {
        headers.append(py::make_tuple(text_of(name), text_of(value)));
    }
    return headers;
}

py::object json_of(const Response& response, Asked asked) {
    boost::system::error_code error;
    const auto value = parse_sent_json(response.body, error);
    if (error) {
        throw ErrorException(not_json_error(asked, response, error.message()));
    }
    return to_python(value);
}

void bind_response(py::module_& module) {
    py::class_<Response>(module, "HttpResponse", "An answer as it came.")
        .def_readonly("status_code", &Response::status)
        .def_property_readonly("headers", &headers_of)
        .def_readonly("redirects", &Response::redirects)
        .def_readonly("url", &Response::url)
        .def_property_readonly("content", [](const Response& self) { return py::bytes(self.body); })
        .def_property_readonly(
            "attempts", [](const Response& self) { return to_python(boost::json::value(to_json(self.attempts))); })
        .def_property_readonly("elapsed",
                               [](const Response& self) { return std::chrono::duration<double>(self.elapsed).count(); })
        .def(
            "json",
            [](const Response& self, std::string service, std::string method, std::string url) {
                return json_of(self, {std::move(service), std::move(method), std::move(url)});
            },
            py::arg("service"), py::arg("method"), py::arg("url"), "The body as JSON.")
        .def(
            "raise_for_status",
            [](const Response& self, std::string service, std::string method, std::string url) {
                if (self.status >= 400) {
                    throw ErrorException(status_error({std::move(service), std::move(method), std::move(url)}, self));
                }
            },
            py::arg("service"), py::arg("method"), py::arg("url"), "Raise StatusError for 4xx and 5xx.");
}

Error wrong_header(const py::handle& name, const py::handle& value) {
    const py::handle wrong = py::isinstance<py::str>(name) ? value : name;
    return fail(
        Errc::invalid_argument,
        fmt::format("headers must map str to str; the value of {} is of type {}", py::repr(name).cast<std::string>(),
                    py::type::handle_of(wrong).attr("__name__").cast<std::string>()),
        {{"field", "headers"}});
}

/// A mapping of str to str, or None.
void set_headers(Request& request, const py::handle& value) {
    if (value.is_none()) {
        return;
    }
    if (PyDict_Check(value.ptr()) == 0 &&
        !py::isinstance(value, py::module_::import("collections.abc").attr("Mapping"))) {
        throw py::cast_error("not a mapping");
    }
    const py::dict fields = PyDict_Check(value.ptr()) != 0 ? py::reinterpret_borrow<py::dict>(value)
                                                           : py::dict(py::reinterpret_borrow<py::object>(value));
    for (const auto& [name, text] : fields) {
        if (!py::isinstance<py::str>(name) || !py::isinstance<py::str>(text)) {
            throw ErrorException(wrong_header(name, text));
        }
        request.headers.emplace_back(name.cast<std::string>(), text.cast<std::string>());
    }
}

void set_content(Request& request, const py::handle& value) {
    if (!value.is_none()) {
        request.body = value.cast<std::string>();
    }
}

/// `...` stands for no body, for None is a value that JSON has.
void set_json(Request& request, const py::handle& value) {
    if (!value.is(py::ellipsis())) {
        request.body = boost::json::serialize(from_python(value));
        request.defaults.emplace_back("Content-Type", "application/json");
    }
}

/// What a form holds, encoded already.
void set_form(Request& request, const py::handle& value) {
    request.body = value.cast<std::string>();
    request.defaults.emplace_back("Content-Type", "application/x-www-form-urlencoded");
}

/// Bytes as they are, a descriptor with a name for messages, or a path.
UploadPart content_of(const py::handle& given) {
    if (py::isinstance<py::bytes>(given)) {
        return {given.cast<std::string>(), nullptr};
    }
    const bool is_open = py::isinstance<py::tuple>(given);
    const auto [descriptor, path] = is_open ? given.cast<std::pair<int, std::filesystem::path>>()
                                            : std::pair(-1, given.cast<std::filesystem::path>());
    // It may wait for a disk.
    const auto file = [&, descriptor = descriptor, &path = path] {
        const GilReleased released;
        return is_open ? FileToSend::opened(descriptor, path) : FileToSend::named(path);
    }();
    return {{}, unwrap(file)};
}

/// Rows of a field's name, its file's name or None, content type, content. After `headers`, which may name the
/// boundary.
void set_files(Request& request, const py::handle& value) {
    using Row = std::tuple<std::string, std::optional<std::string>, std::string, py::object>;
    std::vector<FormPart> parts;
    for (auto& [name, filename, type, content] : value.cast<std::vector<Row>>()) {
        parts.push_back({std::move(name), std::move(filename), std::move(type), content_of(content)});
    }
    unwrap(set_multipart(request, std::move(parts)));
}

/// The shortest limit is 1 ms, for 0 would mean the client's own.
void set_timeout(Request& request, const py::handle& value) {
    if (value.is_none()) {
        return;
    }
    const auto seconds = value.cast<double>();
    if (!(seconds > 0)) {
        throw ErrorException(
            fail(Errc::invalid_argument,
                 fmt::format("timeout must be more than 0 seconds, not {}", py::repr(value).cast<std::string>()),
                 {{"field", "timeout"}}));
    }
    request.timeout =
        std::max(std::chrono::milliseconds{1}, std::chrono::ceil<std::chrono::milliseconds>(duration_of(seconds)));
}

void bind_request(py::module_& module) {
    RequestClass<Request>(module, "HttpRequest", "A request that can be sent.")
        .field<&Request::method>("method")
        .field<&Request::url>("url")
        .field("headers", &set_headers)
        .field("content", &set_content)
        .field("json", &set_json)
        .field("form", &set_form)
        .field("files", &set_files)
        .field("timeout", &set_timeout)
        .field<&Request::idempotent>("idempotent")
        .field<&Request::idempotency_key>("idempotency_key")
        .field<&Request::urgent>("urgent")
        .field<&Request::max_redirects>("max_redirects")
        .done_by_dict();
}

std::shared_ptr<HttpCalls> make_calls(std::string base_url, Headers headers, const PoolOptions& pool,
                                      const Timeouts& timeouts, const RetryPolicy& retry, const TlsOptions& tls) {
    return unwrap(HttpCalls::create(*unwrap(Runtime::instance()), {std::move(base_url), pool, timeouts, retry, tls},
                                    std::move(headers)));
}

}  // namespace

void bind_http(py::module_& module) {
    bind_options(module);
    bind_response(module);
    bind_request(module);
    ValueClass<ServerEvent>(module, "ServerEvent", "a ServerEvent", "One server-sent event.")
        .field(
            "event", [](const ServerEvent& self) { return utf8_of(self.event); },
            [](ServerEvent& self, const py::handle& given) { self.event = given.cast<std::string>(); },
            "Its type; message where the service names none.")
        .field(
            "data", [](const ServerEvent& self) { return utf8_of(self.data); },
            [](ServerEvent& self, const py::handle& given) { self.data = given.cast<std::string>(); }, "Its text.")
        .field(
            "id", [](const ServerEvent& self) { return utf8_of(self.id); },
            [](ServerEvent& self, const py::handle& given) { self.id = given.cast<std::string>(); },
            "The newest id so far; empty where the service gives none.")
        .done()
        .def("__repr__", [](const ServerEvent& self) {
            return py::str("<ServerEvent {} {}>").format(utf8_of(self.event), utf8_of(self.id));
        });
    py::class_<HttpEvents, std::shared_ptr<HttpEvents>>(module, "HttpEvents", "Server-sent events as they come.")
        .def("next", &HttpEvents::next, py::arg("heard"), py::arg("mailbox"), py::arg("key"))
        .def("close", &HttpEvents::close);
    py::class_<BodyPieces, std::shared_ptr<BodyPieces>>(module, "BodyPieces", "Pieces of a body; each is given once.")
        .def("__iter__", [](const py::object& self) { return self; })
        .def("__next__", [](BodyPieces& self) {
            if (self.empty()) {
                throw py::stop_iteration();
            }
            py::bytes piece(self.front().data(), self.front().size());
            self.pop();
            return piece;
        });
    py::class_<HttpStream, std::shared_ptr<HttpStream>>(module, "HttpStream", "An answer that is read as it comes.")
        .def_property_readonly("head", [](const HttpStream& self) { return self.head(); })
        .def("next", &HttpStream::next, py::arg("heard"), py::arg("mailbox"), py::arg("key"))
        .def("close", &HttpStream::close);
    py::class_<HttpCalls, std::shared_ptr<HttpCalls>>(module, "HttpCalls", "Requests over pools of connections.")
        .def(py::init(&make_calls), py::arg("base_url"), py::arg("headers"), py::arg("pool"), py::arg("timeouts"),
             py::arg("retry"), py::arg("tls"))
        .def(
            "send",
            [](HttpCalls& self, const Request& request, const std::optional<CancellationToken>& token,
               std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
                return self.send(request, token.value_or(CancellationToken{}), std::move(mailbox), key);
            },
            py::arg("request"), py::arg("token"), py::arg("mailbox"), py::arg("key"))
        .def(
            "stream",
            [](HttpCalls& self, const Request& request, const std::optional<CancellationToken>& token,
               std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
                return self.stream(request, token.value_or(CancellationToken{}), std::move(mailbox), key);
            },
            py::arg("request"), py::arg("token"), py::arg("mailbox"), py::arg("key"))
        .def(
            "events",
            [](HttpCalls& self, const Request& request, const std::optional<CancellationToken>& token,
               std::optional<double> reconnect_for) {
                return self.events(request, token.value_or(CancellationToken{}), milliseconds_of(reconnect_for));
            },
            py::arg("request"), py::arg("token"), py::arg("reconnect_for"))
        .def("warm_up", &HttpCalls::warm_up, py::arg("connections"), py::arg("mailbox"), py::arg("key"))
        .def(
            "drain",
            [](HttpCalls& self, double seconds, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
                self.close(std::chrono::ceil<std::chrono::milliseconds>(duration_of(seconds)), std::move(mailbox), key);
            },
            py::arg("seconds"), py::arg("mailbox"), py::arg("key"))
        .def("close", py::overload_cast<>(&HttpCalls::close))
        .def_property_readonly("url", &HttpCalls::url)
        .def("stats", [](const HttpCalls& self) { return pool_dict(self.stats()); })
        .def("metrics", [](const HttpCalls& self) { return to_python(boost::json::value(to_json(self.metrics()))); });
}

}  // namespace ktrdr::bindings
