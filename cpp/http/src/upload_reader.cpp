#include "upload_reader.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace ktrdr {
namespace {

/// As `pread`, but a signal does not end it.
ssize_t read_at(int descriptor, std::span<char> into, std::uint64_t at) {
    for (;;) {
        const ssize_t bytes = ::pread(descriptor, into.data(), into.size(), static_cast<off_t>(at));
        if (bytes >= 0 || errno != EINTR) {
            return bytes;
        }
    }
}

}  // namespace

Result<void> UploadReader::read(std::string& slice) {
    slice.resize(slice_bytes);
    std::size_t filled = 0;
    while (filled < slice_bytes && part_ < upload_->parts.size()) {
        const auto bytes = read_part({slice.data() + filled, slice_bytes - filled});
        if (!bytes) {
            return bytes.error();
        }
        filled += *bytes;
    }
    slice.resize(filled);
    return {};
}

Result<std::size_t> UploadReader::read_part(std::span<char> into) {
    const UploadPart& part = upload_->parts[part_];
    const std::uint64_t left = part.size() - at_;
    const auto piece = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, into.size())));
    if (part.file) {
        const auto read = read_file(*part.file, piece);
        if (!read || *read < left) {
            return read;
        }
        if (const auto ended = end_file(*part.file); !ended) {
            return ended.error();
        }
    } else {
        part.bytes.copy(piece.data(), piece.size(), static_cast<std::size_t>(at_));
        at_ += piece.size();
        if (piece.size() < left) {
            return piece.size();
        }
    }
    ++part_;
    at_ = 0;
    return piece.size();
}

Result<std::size_t> UploadReader::read_file(const FileToSend& file, std::span<char> into) {
    if (!open_) {
        auto opened = file.open();
        if (!opened) {
            return opened.error();
        }
        open_ = std::move(*opened);
    }
    std::size_t filled = 0;
    while (filled < into.size()) {
        const ssize_t bytes = read_at(open_->value(), into.subspan(filled), at_);
        if (bytes < 0) {
            return file.unreadable(errno);
        }
        if (bytes == 0) {
            return file.changed(fmt::format("it ended after {} of its {} bytes", at_, file.size()));
        }
        filled += static_cast<std::size_t>(bytes);
        at_ += static_cast<std::uint64_t>(bytes);
    }
    return filled;
}

Result<void> UploadReader::end_file(const FileToSend& file) {
    const auto open = std::move(open_);
    char more{};
    const ssize_t bytes = read_at(open->value(), {&more, 1}, file.size());
    if (bytes < 0) {
        return file.unreadable(errno);
    }
    if (bytes > 0) {
        return file.changed(
            fmt::format("it has more than the {} bytes that it had when the request was made", file.size()));
    }
    return {};
}

}  // namespace ktrdr
