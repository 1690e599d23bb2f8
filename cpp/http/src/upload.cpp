#include <ktrdr/http/upload.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <ktrdr/base/files.hpp>
#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace {

constexpr std::string_view reading = "read the file to send,";

Error refused(const std::filesystem::path& path, std::string_view why) {
    const std::string shown = shown_utf8(path.native());
    return fail(Errc::storage, fmt::format("cannot {} {}: {}", reading, shown, why), {{"path", shown}});
}

Error failed(const std::filesystem::path& path, int number) {
    Error error = file_error(reading, path, number, "check the path and its permissions");
    if (number == EMFILE || number == ENFILE) {
        error.code = Errc::out_of_resources;
    }
    return error;
}

/// How long it is, of a plain file that can be read.
Result<std::uint64_t> size_of(int descriptor, const std::filesystem::path& path) {
    struct stat found{};
    if (::fstat(descriptor, &found) != 0) {
        return failed(path, errno);
    }
    if (!S_ISREG(found.st_mode)) {
        return refused(path,
                       "it is no plain file, so neither how long it is nor how to read it again is known; "
                       "send its bytes instead");
    }
    if ((::fcntl(descriptor, F_GETFL) & O_ACCMODE) == O_WRONLY) {
        return refused(path, "it is open for writing only; open it with \"rb\"");
    }
    return static_cast<std::uint64_t>(found.st_size);
}

Result<std::shared_ptr<const Descriptor>> open_named(const std::filesystem::path& path) {
    // A FIFO would be waited for.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) {
        return failed(path, errno);
    }
    return std::make_shared<const Descriptor>(descriptor);
}

}  // namespace

Descriptor::~Descriptor() {
    ::close(value_);
}

Result<std::shared_ptr<const FileToSend>> FileToSend::named(std::filesystem::path path) {
    if (path.native().find('\0') != std::string::npos) {
        return refused(path, "its name has a zero byte");
    }
    const auto descriptor = open_named(path);
    const auto size = descriptor ? size_of((*descriptor)->value(), path) : descriptor.error();
    if (!size) {
        return size.error();
    }
    return std::shared_ptr<const FileToSend>(new FileToSend(std::move(path), *size, nullptr));
}

Result<std::shared_ptr<const FileToSend>> FileToSend::opened(int descriptor, std::filesystem::path name) {
    const auto size = size_of(descriptor, name);
    if (!size) {
        return size.error();
    }
    const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    if (own < 0) {
        return failed(name, errno);
    }
    auto descriptor_of_ours = std::make_shared<const Descriptor>(own);
    return std::shared_ptr<const FileToSend>(new FileToSend(std::move(name), *size, std::move(descriptor_of_ours)));
}

Result<std::shared_ptr<const Descriptor>> FileToSend::open() const {
    const auto descriptor = descriptor_ ? descriptor_ : open_named(path_);
    const auto size = descriptor ? size_of((*descriptor)->value(), path_) : descriptor.error();
    if (!size) {
        return size.error();
    }
    if (*size != size_) {
        return changed(fmt::format("it had {} bytes when the request was made, and has {} now", size_, *size));
    }
    return descriptor;
}

Error FileToSend::changed(const std::string& how) const {
    return refused(path_, how + "; make the request when nobody writes to it");
}

Error FileToSend::unreadable(int number) const {
    return failed(path_, number);
}

std::uint64_t Upload::size() const noexcept {
    std::uint64_t sum = 0;
    for (const UploadPart& part : parts) {
        sum += part.size();
    }
    return sum;
}

}  // namespace ktrdr
