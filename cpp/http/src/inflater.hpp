#pragma once

#include <zlib.h>

#include <cstddef>
#include <string>
#include <string_view>

#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Decodes a body that was packed with gzip or deflate, as it comes.
///
/// Errors: `protocol` or `response_too_large`, in words that follow "the answer …".
/// Thread safety: none.
/// Cost: about 40 KiB while it lives.
class Inflater final {
public:
    Inflater() = default;
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    ~Inflater();

    /// True for a content coding that it knows: gzip, x-gzip, deflate.
    [[nodiscard]] static bool knows(std::string_view coding) noexcept;

    /// Decode and append to `out`, which must not become larger than `limit`: a small body can stand for a huge one.
    [[nodiscard]] Result<void> feed(std::string_view packed, std::string& out, std::size_t limit);
    /// The body is over: it must have been whole. Bytes behind it are passed over, as others do: its length is the
    /// answer's to say.
    [[nodiscard]] Result<void> finish() const;

private:
    enum class State { fresh, inside, between, over };

    /// What is packed by gzip may be followed by more of that kind; anything else behind a packed body says nothing.
    [[nodiscard]] Result<void> go_on(std::string_view& packed, std::string& out, std::size_t limit);
    [[nodiscard]] Result<void> begin(std::string_view packed);
    [[nodiscard]] Error broken() const;

    z_stream stream_{};
    State state_{State::fresh};
    bool made_{false};
    bool gzip_{false};
    /// Of what may be another body, until it is known.
    std::string next_{};
};

}  // namespace ktrdr
