#pragma once

#include <cxxabi.h>
#include <pybind11/pybind11.h>
#include <unistd.h>

namespace ktrdr::bindings {

/// Lets Python's other threads run while native code works or waits: `py::gil_scoped_release`, but for the end of the
/// interpreter. A daemon thread that wants the lock back then is unwound by Python up to 3.13 (`pthread_exit`), and
/// unwinding out of a destructor aborts the process. Such a thread stands still here until the process is gone, which
/// is what Python 3.14 does itself.
class GilReleased final {
public:
    GilReleased() : thread_(PyEval_SaveThread()) {}
    GilReleased(const GilReleased&) = delete;
    GilReleased& operator=(const GilReleased&) = delete;
    ~GilReleased() {
        try {
            PyEval_RestoreThread(thread_);
        } catch (const abi::__forced_unwind&) {
            for (;;) {
                ::pause();
            }
        }
    }

private:
    PyThreadState* thread_;
};

}  // namespace ktrdr::bindings
