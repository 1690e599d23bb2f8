#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/http/message.hpp>
#include <ktrdr/http/upload.hpp>

namespace ktrdr {

/// One field of a form, or one file in it.
struct FormPart {
    std::string name{};
    /// The file's name for the service; none for a field.
    std::optional<std::string> filename{};
    /// Empty for none.
    std::string content_type{};
    UploadPart content{};
};

/// The parts as `multipart/form-data` (RFC 7578). Names are written as browsers do (HTML standard, "multipart form
/// data"): UTF-8, with `%22`, `%0D`, `%0A` for what would end them, and a lone CR or LF in a field's name as both.
///
/// Errors: `invalid_argument` for a NUL in a name, a line break or NUL in a content type, and a boundary that RFC 2046
/// does not know.
[[nodiscard]] KTRDR_EXPORT Result<Upload> multipart_form(std::vector<FormPart> parts, std::string_view boundary);

/// Make this form the request's body, between boundaries of 128 random bits, or those that its `Content-Type` names
/// where it has one; `invalid_argument` for one that names none.
[[nodiscard]] KTRDR_EXPORT Result<void> set_multipart(Request& request, std::vector<FormPart> parts);

}  // namespace ktrdr
