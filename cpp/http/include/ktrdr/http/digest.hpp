#pragma once

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/http/message.hpp>

namespace ktrdr {

/// Whether the body of an answer is the one that its `Repr-Digest` (RFC 9530) speaks of, by SHA-256.
///
/// Errors: `protocol` for another body, and where the answer says nothing of the kind.
[[nodiscard]] KTRDR_EXPORT Result<void> check_digest(const Response& response);

}  // namespace ktrdr
