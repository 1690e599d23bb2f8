#include <ktrdr/base/result.hpp>

namespace ktrdr {

void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw ErrorException(error);
}

}  // namespace ktrdr
