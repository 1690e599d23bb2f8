// A CSV file of bars, read in pieces.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <ktrdr/base/files.hpp>
#include <ktrdr/data/own_bars.hpp>
#include <ktrdr/market/csv_reader.hpp>

namespace ktrdr {
namespace {

constexpr std::size_t piece_size = 1024 * 1024;

Error no_file(const std::filesystem::path& path, int number) {
    if (number == ENOENT || number == ENOTDIR) {
        return fail(Errc::not_found, fmt::format("cannot import {}: there is no such file", path.string()),
                    {{"file", path.string()}});
    }
    return file_error("cannot import", path, number);
}

}  // namespace

Result<std::shared_ptr<CsvFile>> CsvFile::open(std::filesystem::path path) {
    // A FIFO would be waited for; it is refused below.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        return no_file(path, errno);
    }
    struct ::stat about{};
    const bool known = ::fstat(descriptor, &about) == 0;
    std::shared_ptr<CsvFile> file(new CsvFile(std::move(path), descriptor, known ? about.st_size : 0));
    if (!known || !S_ISREG(about.st_mode)) {
        return fail(Errc::invalid_argument, fmt::format("cannot import {}: it is no plain file", file->path_.string()),
                    {{"file", file->path_.string()}});
    }
    return file;
}

CsvFile::~CsvFile() {
    ::close(descriptor_);
}

Result<OwnBars> CsvFile::read(const Timeframe& timeframe, UtcTime now, const CancellationToken& token,
                              const std::function<void(std::int64_t)>& on_bytes) const {
    const std::string name = path_.filename().string();
    CsvReader reader(name);
    reader.expect(static_cast<std::size_t>(size_));
    std::vector<char> piece(piece_size);
    std::int64_t bytes = 0;
    for (;;) {
        if (const auto alive = token.check(fmt::format("reading {}", name)); !alive) {
            return alive.error();
        }
        const ssize_t got = ::read(descriptor_, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return no_file(path_, errno);
        }
        if (got == 0) {
            break;
        }
        if (const auto read = reader.feed({piece.data(), static_cast<std::size_t>(got)}); !read) {
            return read.error();
        }
        on_bytes(bytes += got);
    }
    auto bars = reader.finish();
    if (!bars) {
        return bars.error();
    }
    if (const auto fault = fault_of_own(*bars, timeframe, now)) {
        const std::size_t line = reader.line_of(fault->row);
        Error error = to_error(*fault, *bars, fmt::format("{}: line {}", name, line));
        error.context["file"] = name;
        error.context["line"] = line;
        return error;
    }
    return OwnBars{std::make_shared<const Bars>(std::move(*bars)), reader.ignored(), reader.style()};
}

}  // namespace ktrdr
