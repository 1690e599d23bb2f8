#pragma once

#include <memory>

#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/runtime/mailbox.hpp>

namespace ktrdr::bindings {

/// A mail under `key` when the token is cancelled, at once if it is already. The mail holds code, text and origin.
[[nodiscard]] CancelRegistration notify(const CancellationToken& token, std::shared_ptr<Mailbox> mailbox,
                                        std::uint64_t key);

}  // namespace ktrdr::bindings
