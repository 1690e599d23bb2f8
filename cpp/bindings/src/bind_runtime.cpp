// Room runtime: start and end of the threads, mailboxes, log records, libraries that are loaded ahead.

#include <dlfcn.h>
#include <fmt/format.h>
#include <pybind11/chrono.h>
#include <pybind11/stl.h>

#include <cstdio>
#include <cstdlib>

#include <ktrdr/base/text.hpp>
#include <ktrdr/runtime/asked_source.hpp>
#include <ktrdr/runtime/http_calls.hpp>
#include <ktrdr/runtime/mailbox.hpp>
#include <ktrdr/runtime/runtime.hpp>
#include <ktrdr/runtime/source_calls.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"

namespace ktrdr::bindings {
namespace {

py::tuple log_row(const LogRecord& record) {
    // A record that holds what others sent must not cost the ones behind it.
    const auto message = py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(
        record.message.data(), static_cast<Py_ssize_t>(record.message.size()), "backslashreplace"));
    if (!message) {
        throw py::error_already_set();
    }
    return py::make_tuple(static_cast<int>(record.level), record.room, message, record.operation_id);
}

py::list take_logs() {
    py::list rows;
    if (Runtime* const runtime = Runtime::existing(); runtime != nullptr) {
        for (const LogRecord& record : runtime->logs().take()) {
            rows.append(log_row(record));
        }
    }
    return rows;
}

/// Start the runtime if it is not there, and log from `level` on.
void start(int level) {
    Runtime* const runtime = unwrap(Runtime::instance());
    set_log_sink(&runtime->logs(), static_cast<LogLevel>(level));
}

bool shutdown(double seconds) {
    Runtime* const runtime = Runtime::existing();
    return runtime == nullptr ||
           runtime->shutdown(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
}

std::shared_ptr<Mailbox> make_mailbox() {
    auto mailbox = std::make_shared<Mailbox>();
    unwrap(Runtime::instance())->logs().add_reader(mailbox);
    return mailbox;
}

py::object record_of(const Error& error) {
    return py::make_tuple(std::string(to_string(error.code)), kept_text(error.message), to_python(error.context));
}

/// `(values, failures)`: None stands for a call that failed, and `(index, (code, message, context))` says why.
py::tuple batch_to_python(const std::vector<Result<boost::json::value>>& outcomes) {
    py::list values(outcomes.size());
    py::list failures;
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        const auto& outcome = outcomes[i];
        values[i] = outcome ? to_python(*outcome) : py::none();
        if (!outcome) {
            failures.append(py::make_tuple(i, record_of(outcome.error())));
        }
    }
    return py::make_tuple(std::move(values), std::move(failures));
}

py::object reply_to_python(Reply reply) {
    if (auto* const response = std::get_if<Response>(&reply)) {
        return py::cast(std::move(*response));
    }
    if (auto* const stream = std::get_if<std::shared_ptr<HttpStream>>(&reply)) {
        return py::cast(std::move(*stream));
    }
    if (auto* const events = std::get_if<std::vector<ServerEvent>>(&reply)) {
        py::list list;
        for (ServerEvent& event : *events) {
            list.append(py::cast(std::move(event)));
        }
        return list;
    }
    if (auto* const pieces = std::get_if<std::shared_ptr<BodyPieces>>(&reply)) {
        return py::cast(std::move(*pieces));
    }
    if (auto* const ask = std::get_if<std::shared_ptr<SourceAsk>>(&reply)) {
        return py::cast(std::move(*ask));
    }
    if (auto* const answer = std::get_if<std::shared_ptr<SourceReply>>(&reply)) {
        return py::cast(std::move(*answer));
    }
    if (const auto* const outcomes = std::get_if<std::vector<Result<boost::json::value>>>(&reply)) {
        return batch_to_python(*outcomes);
    }
    return to_python(std::get<boost::json::value>(reply));
}

/// `(key, kind, progress)`, or `(key, "part" or "reply", outcome)`: `(True, value)` or `(False, (code, message,
/// context))`. Takes the reply.
py::tuple mail_row(Mail& mail) {
    if (mail.kind == Mail::Kind::progress) {
        return py::make_tuple(mail.key, "progress", std::make_shared<ProgressState>(mail.progress));
    }
    if (mail.kind == Mail::Kind::finished || mail.kind == Mail::Kind::events) {
        return py::make_tuple(mail.key, mail.kind == Mail::Kind::events ? "events" : "finished", py::none());
    }
    py::tuple outcome = mail.reply->has_value()
                            ? py::make_tuple(py::bool_(true), reply_to_python(std::move(mail.reply->value())))
                            : py::make_tuple(py::bool_(false), record_of(mail.reply->error()));
    auto kind =
        py::reinterpret_steal<py::str>(PyUnicode_InternFromString(mail.kind == Mail::Kind::part ? "part" : "reply"));
    return py::make_tuple(mail.key, std::move(kind), std::move(outcome));
}

/// In place of a reply that Python cannot hold.
py::tuple error_row(const Mail& mail, const char* why) {
    const Error error = fail(Errc::internal, fmt::format("what came cannot be made a Python object: {}", why));
    return py::make_tuple(mail.key, "reply", py::make_tuple(py::bool_(false), record_of(error)));
}

py::list take(Mailbox& mailbox, std::size_t limit) {
    py::list rows;
    for (Mail& mail : mailbox.take(limit)) {
        // Nobody loses their mail for somebody else's.
        try {
            rows.append(mail_row(mail));
        } catch (const std::exception& error) {
            if (mail.kind == Mail::Kind::reply || mail.kind == Mail::Kind::part) {
                rows.append(error_row(mail, error.what()));
            }
        }
    }
    return rows;
}

/// Open a library without the interpreter's lock, so that no event loop stands still while it loads. Answers the
/// loader's message, or nothing.
std::optional<std::string> preload(const std::string& path) {
    if (::dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL) != nullptr) {
        return std::nullopt;
    }
    const char* const message = ::dlerror();
    return message == nullptr ? "unknown error" : message;
}

#ifdef KTRDR_GIL_GUARD
void abort_with_gil() {
    if (PyGILState_Check() != 0) {
        std::fputs("ktrdr_core: a native thread holds the GIL\n", stderr);
        std::abort();
    }
}

/// Does on a native thread what must never be done, so that a test can see the guard work.
void break_gil_rule() {
    unwrap(Runtime::instance())->data_services().io_executor.post([] { PyGILState_Ensure(); });
}
#endif

}  // namespace

void bind_runtime(py::module_& module) {
    module.def("start", &start, py::arg("log_level"), py::call_guard<GilReleased>(),
               "Start the native threads; log from this level on.");
    module.def("shutdown", &shutdown, py::arg("seconds"), py::call_guard<GilReleased>(),
               "Cancel everything and join the threads; False when one was still busy.");
    module.def("take_logs", &take_logs, "Log records since the last call: (level, room, message, operation_id).");
    module.def("preload", &preload, py::arg("path"), py::call_guard<GilReleased>(),
               "Open a shared library; the loader's message when it cannot be.");
    py::class_<Mailbox, std::shared_ptr<Mailbox>>(module, "Mailbox", "News for one event loop or waiting thread.")
        .def(py::init(&make_mailbox))
        .def("fileno", &Mailbox::fd)
        .def("take", &take, py::arg("limit"), "What has come, at most so much: (key, kind, value).")
        .def(
            "wait",
            [](const Mailbox& self, double seconds) {
                return self.wait_for(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
            },
            py::arg("seconds"), py::call_guard<GilReleased>(), "Block until there is something.");
#ifdef KTRDR_GIL_GUARD
    set_thread_check(&abort_with_gil);
    module.def("break_gil_rule", &break_gil_rule);
#endif
}

}  // namespace ktrdr::bindings
