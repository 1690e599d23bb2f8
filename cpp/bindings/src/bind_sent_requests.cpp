// Room bar_store: what an account of a provider was asked lately.

#include <pybind11/stl.h>

#include <algorithm>
#include <tuple>

#include <ktrdr/bar_store/sent_requests.hpp>
#include <ktrdr/storage/storage.hpp>

#include "bind.hpp"
#include "convert.hpp"
#include "gil.hpp"

namespace ktrdr::bindings {
namespace {

std::shared_ptr<SentRequests> open_requests(const Storage& storage, std::string account, double speed) {
    PacingRules rules;
    // A machine is no faster for a clock that is: a request has two seconds of its time at least.
    const std::chrono::duration<double> late(2.0 * speed);
    rules.arrives_within = std::max(rules.arrives_within, std::chrono::duration_cast<std::chrono::nanoseconds>(late));
    return std::make_shared<SentRequests>(storage.database(), std::move(account),
                                          unwrap(PacingClock::of_machine(speed)), rules);
}

std::tuple<std::int64_t, double, bool> enter(SentRequests& self, std::string request, std::string series, int weight) {
    const auto turn = unwrap(self.enter({std::move(request), std::move(series), weight}));
    return {turn.ticket, std::chrono::duration<double>(turn.wait).count(), turn.for_all};
}

}  // namespace

void bind_sent_requests(py::module_& module) {
    py::class_<SentRequests, std::shared_ptr<SentRequests>>(
        module, "SentRequests", "What one account was asked lately, by every process that uses the file.")
        .def(py::init(&open_requests), py::arg("storage"), py::arg("account"), py::arg("speed"))
        .def("enter", &enter, py::arg("request"), py::arg("series"), py::arg("weight"), py::call_guard<GilReleased>(),
             "A ticket, or 0 and the seconds to wait, and whether any request would have to.")
        .def(
            "arrived", [](SentRequests& self, std::int64_t ticket) { unwrap(self.arrived(ticket)); }, py::arg("ticket"),
            py::call_guard<GilReleased>(), "The answer is there.")
        .def(
            "not_sent", [](SentRequests& self, std::int64_t ticket) { unwrap(self.not_sent(ticket)); },
            py::arg("ticket"), py::call_guard<GilReleased>(), "It was not sent.");
}

}  // namespace ktrdr::bindings
