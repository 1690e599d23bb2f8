#include <ktrdr/http/multipart.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <random>

namespace ktrdr {
namespace {

constexpr std::size_t longest_boundary = 70;

Error refused(std::string_view what) {
    return fail(Errc::invalid_argument, fmt::format("files: {}; nothing was sent", what), {{"field", "files"}});
}

bool has_any(std::string_view text, std::string_view letters) {
    return text.find_first_of(letters) != std::string_view::npos;
}

constexpr std::string_view nul("\0", 1);
constexpr std::string_view line_ends("\r\n\0", 3);

/// As a browser writes it between quotes.
std::string escaped(std::string_view name) {
    std::string out;
    out.reserve(name.size());
    for (const char letter : name) {
        switch (letter) {
            case '"': out += "%22"; break;
            case '\r': out += "%0D"; break;
            case '\n': out += "%0A"; break;
            default: out += letter;
        }
    }
    return out;
}

/// With CR LF for each CR or LF that stands alone.
std::string with_whole_line_ends(std::string_view name) {
    std::string out;
    for (std::size_t at = 0; at < name.size(); ++at) {
        const char letter = name[at];
        if (letter != '\r' && letter != '\n') {
            out += letter;
            continue;
        }
        out += "\r\n";
        at += letter == '\r' && at + 1 < name.size() && name[at + 1] == '\n' ? 1 : 0;
    }
    return out;
}

bool is_boundary(std::string_view text) {
    constexpr std::string_view marks = "'()+_,-./:=? ";
    return !text.empty() && text.size() <= longest_boundary && !text.ends_with(' ') &&
           std::all_of(text.begin(), text.end(), [marks](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      marks.find(c) != std::string_view::npos;
           });
}

Result<void> check(const FormPart& part) {
    if (has_any(part.name, nul) || (part.filename && has_any(*part.filename, nul))) {
        return refused("a name holds a NUL");
    }
    if (has_any(part.content_type, line_ends)) {
        return refused("a content type holds a line break or a NUL");
    }
    return {};
}

std::string head_of(const FormPart& part) {
    std::string head =
        fmt::format("Content-Disposition: form-data; name=\"{}\"", escaped(with_whole_line_ends(part.name)));
    if (part.filename) {
        head += fmt::format("; filename=\"{}\"", escaped(*part.filename));
    }
    head += "\r\n";
    if (!part.content_type.empty()) {
        head += fmt::format("Content-Type: {}\r\n", part.content_type);
    }
    return head + "\r\n";
}

std::string random_boundary() {
    std::random_device device;
    return fmt::format("ktrdr-{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

/// The value of `boundary=`; empty without one.
std::string boundary_of(std::string_view content_type) {
    constexpr std::string_view key = "boundary=";
    for (std::size_t at = content_type.find(';'); at != std::string_view::npos; at = content_type.find(';')) {
        content_type.remove_prefix(std::min(content_type.find_first_not_of("; \t", at), content_type.size()));
        if (!boost::beast::iequals(content_type.substr(0, key.size()), key)) {
            continue;
        }
        std::string_view value = content_type.substr(key.size());
        if (value.starts_with('"')) {
            value.remove_prefix(1);
            return std::string(value.substr(0, value.find('"')));
        }
        value = value.substr(0, value.find(';'));
        return std::string(value.substr(0, value.find_last_not_of(" \t") + 1));
    }
    return {};
}

}  // namespace

Result<Upload> multipart_form(std::vector<FormPart> parts, std::string_view boundary) {
    if (!is_boundary(boundary)) {
        return refused(fmt::format("the boundary has {} characters, but must have 1 to {} of those that RFC 2046 knows",
                                   boundary.size(), longest_boundary));
    }
    Upload upload;
    std::string before = fmt::format("--{}\r\n", boundary);
    for (FormPart& part : parts) {
        if (const auto valid = check(part); !valid) {
            return valid.error();
        }
        upload.parts.push_back({before + head_of(part), nullptr});
        upload.parts.push_back(std::move(part.content));
        before = fmt::format("\r\n--{}\r\n", boundary);
    }
    upload.parts.push_back({fmt::format("{}--{}--\r\n", parts.empty() ? "" : "\r\n", boundary), nullptr});
    return upload;
}

Result<void> set_multipart(Request& request, std::vector<FormPart> parts) {
    const std::string* const own = find_header(request.headers, "Content-Type");
    const std::string boundary = own != nullptr ? boundary_of(*own) : random_boundary();
    if (boundary.empty()) {
        return fail(Errc::invalid_argument,
                    "headers: the Content-Type of a request with files names no boundary; leave it out, for it is "
                    "written with the form; nothing was sent",
                    {{"field", "headers"}});
    }
    auto upload = multipart_form(std::move(parts), boundary);
    if (!upload) {
        return std::move(upload).error();
    }
    request.upload = std::make_shared<const Upload>(std::move(*upload));
    if (own == nullptr) {
        // No default: what a client puts into all its requests is not meant for a form.
        request.headers.emplace_back("Content-Type", "multipart/form-data; boundary=" + boundary);
    }
    return {};
}

}  // namespace ktrdr
