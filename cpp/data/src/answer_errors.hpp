#pragma once

#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// The service answered, and the answer was no good: worth a ledger entry, and the next segment may do better. With any
/// other error of a source there is no point in going on.
[[nodiscard]] inline bool is_answer(Errc code) {
    return code == Errc::host_service || code == Errc::status || code == Errc::protocol ||
           code == Errc::response_too_large;
}

}  // namespace ktrdr
