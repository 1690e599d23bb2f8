// A body that is read from files while it is sent.

#include <ktrdr/http/upload.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "../../../cpp/http/src/upload_reader.hpp"
#include "client_case.hpp"
#include "executors.hpp"
#include "temporary_folder.hpp"

namespace ktrdr::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr std::size_t slice = UploadReader::slice_bytes;

std::string content_of(std::size_t size) {
    std::string content(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        content[i] = static_cast<char>('a' + i * 7 % 26);
    }
    return content;
}

class Files : public testing::Test {
protected:
    std::filesystem::path file(const std::string& content, const std::string& name = "f") {
        std::ofstream(folder_.path() / name, std::ios::binary) << content;
        return folder_.path() / name;
    }
    static std::shared_ptr<const FileToSend> named(const std::filesystem::path& path) {
        return FileToSend::named(path).value();
    }

    TemporaryFolder folder_;
};

std::string refused(const std::filesystem::path& path) {
    const auto made = FileToSend::named(path);
    return made ? "made" : made.error().message;
}

TEST_F(Files, AreRefusedWhereTheyAreNoPlainOnesOrCannotBeRead) {
    ASSERT_EQ(::mkfifo((folder_.path() / "fifo").c_str(), 0600), 0);
    EXPECT_THAT(refused(folder_.path() / "fifo"), HasSubstr("no plain file"));
    EXPECT_THAT(refused(folder_.path()), HasSubstr("no plain file"));
    EXPECT_THAT(refused("/dev/null"), HasSubstr("no plain file"));
    EXPECT_THAT(refused(folder_.path() / "missing"), HasSubstr("No such file"));
    EXPECT_THAT(refused(std::string("a\0b", 3)), HasSubstr("zero byte"));
    const int writing = ::open(file("x").c_str(), O_WRONLY);
    EXPECT_THAT(FileToSend::opened(writing, "f").error().message, HasSubstr("for writing only"));
    ::close(writing);
    EXPECT_EQ(FileToSend::opened(writing, "f").error().code, Errc::storage);
}

TEST_F(Files, AreReadSliceBySliceAcrossTheirEnds) {
    const auto upload = std::make_shared<Upload>();
    std::string expected;
    int number = 0;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, slice - 1, slice, slice + 1, 3 * slice}) {
        const std::string content = content_of(size);
        upload->parts.push_back({"<" + std::to_string(size) + ">", nullptr});
        upload->parts.push_back({{}, named(file(content, std::to_string(++number)))});
        expected += upload->parts[upload->parts.size() - 2].bytes + content;
    }
    upload->parts.push_back({content_of(2 * slice), nullptr});
    expected += upload->parts.back().bytes;
    EXPECT_EQ(upload->size(), expected.size());
    UploadReader reader(upload);
    std::string read;
    std::string piece = "left from before";
    do {
        ASSERT_TRUE(reader.read(piece));
        read += piece;
        EXPECT_LE(piece.size(), slice);
    } while (piece.size() == slice);
    EXPECT_EQ(read, expected);
    ASSERT_TRUE(reader.read(piece));
    EXPECT_EQ(piece, "");
}

TEST_F(Files, ThatChangeAreFoundBeforeTheirLastBytesAreHandedOut) {
    const auto path = file(content_of(3 * slice));
    const auto upload = std::make_shared<Upload>(Upload{{{{}, named(path)}, {"end", nullptr}}});
    const auto last_words = [&](UploadReader& reader) {
        std::string piece;
        for (;;) {
            const auto read = reader.read(piece);
            if (!read) {
                return read.error().message;
            }
            EXPECT_EQ(piece.size(), slice) << "the end was handed out";
            if (piece.size() < slice) {
                return std::string("whole");
            }
        }
    };
    UploadReader shrinking(upload);
    std::string piece;
    ASSERT_TRUE(shrinking.read(piece));
    std::filesystem::resize_file(path, slice + 5);
    EXPECT_THAT(last_words(shrinking), HasSubstr("it ended after " + std::to_string(slice + 5) + " of its"));
    std::filesystem::resize_file(path, 3 * slice);
    UploadReader growing(upload);
    ASSERT_TRUE(growing.read(piece));
    std::filesystem::resize_file(path, 3 * slice + 1);
    EXPECT_THAT(last_words(growing), HasSubstr("it has more than the"));
    UploadReader late(upload);
    EXPECT_THAT(last_words(late), HasSubstr("when the request was made, and has"));
    std::filesystem::remove(path);
    UploadReader gone(upload);
    EXPECT_THAT(last_words(gone), HasSubstr("No such file"));
}

TEST_F(Files, ThatAreOpenAlreadyAreReadFromTheirStartWithoutMovingAnybody) {
    const auto path = file("content");
    const int theirs = ::open(path.c_str(), O_RDONLY);
    ASSERT_EQ(::lseek(theirs, 3, SEEK_SET), 3);
    const auto opened = FileToSend::opened(theirs, path).value();
    const auto upload = std::make_shared<Upload>(Upload{{{{}, opened}}});
    for (int i = 0; i < 2; ++i) {
        std::string piece;
        ASSERT_TRUE(UploadReader(upload).read(piece));
        EXPECT_EQ(piece, "content");
        EXPECT_EQ(::lseek(theirs, 0, SEEK_CUR), 3);
    }
    ::close(theirs);
    std::filesystem::remove(path);
    std::string piece;
    ASSERT_TRUE(UploadReader(upload).read(piece)) << "what is open stays";
}

/// A client whose uploads are read when a test says so, or at once.
class Uploads : public Client {
protected:
    /// As `ManualExecutor`, of which the test's loop knows when there is something to run.
    class Reads final : public Executor {
    public:
        explicit Reads(asio::io_context& io) : io_(io) {}
        void post(Function function) override {
            if (refuses) {
                throw ErrorException(fail(Errc::out_of_resources, "no thread"));
            }
            ++posted;
            held ? waiting.push_back(std::move(function)) : asio::post(io_, std::move(function));
        }
        [[nodiscard]] bool runs_here() const override { return false; }
        bool held{false};
        bool refuses{false};
        std::size_t posted{0};
        std::vector<Function> waiting{};

    private:
        asio::io_context& io_;
    };

    void make_uploader(PoolOptions options = {}) {
        client = HttpClient::create(io, {server->url(), options, {}, retry}, &reads).value();
    }
    [[nodiscard]] Request upload_of(std::size_t size, std::string method = "PUT") {
        std::ofstream(folder.path() / "f", std::ios::binary) << content_of(size);
        Request request;
        request.method = std::move(method);
        request.upload = std::make_shared<Upload>(
            Upload{{{"begin ", nullptr}, {{}, FileToSend::named(folder.path() / "f").value()}, {" end", nullptr}}});
        return request;
    }
    static std::string body_in(const std::string& request) { return request.substr(request.find("\r\n\r\n") + 4); }

    Reads reads{io};
    TemporaryFolder folder;
};

TEST_F(Uploads, ComeWholeAndTheConnectionServesOn) {
    (void)serve([](const std::string&) { return Reply{ok("right")}; });
    make_uploader();
    for (const std::size_t size : {std::size_t{0}, std::size_t{5}, slice, 40 * slice}) {
        EXPECT_EQ(body_of(send(upload_of(size))), "right");
        EXPECT_EQ(body_in(server->requests.back()), "begin " + content_of(size) + " end");
    }
    EXPECT_EQ(body_of(get()), "right");
    EXPECT_EQ(server->accepted(), 1U);
}

TEST_F(Uploads, NeedAThreadThatReads) {
    (void)serve([](const std::string&) { return Reply{ok("right")}; });
    make_client();
    EXPECT_EQ(failure_of(send(upload_of(5))).code, Errc::not_available);
    EXPECT_EQ(server->accepted(), 0U);
}

TEST_F(Uploads, AreSentAgainFromTheirStart) {
    retry.attempts = 2;
    retry.first_pause = std::chrono::milliseconds{0};
    (void)serve([number = 0](const std::string&) mutable {
        return ++number == 1 ? Reply{"", Reply::Then::reset} : Reply{ok("right")};
    });
    make_uploader();
    EXPECT_EQ(body_of(send(upload_of(3 * slice))), "right");
    ASSERT_THAT(server->requests, SizeIs(2));
    EXPECT_EQ(body_in(server->requests[0]), body_in(server->requests[1]));
}

TEST_F(Uploads, WaitForADiskWithoutALimitOfThePhaseAndAreCancelledThen) {
    (void)serve([](const std::string&) { return Reply{ok("right")}; });
    make_uploader();
    reads.held = true;
    const CancellationToken token = make_token();
    const auto call = send(upload_of(5), token);
    run_until([&] { return reads.posted == 1 && server->accepted() == 1; });
    settle();
    EXPECT_FALSE(call.done());
    token.cancel({});
    const Error error = failure_of(call);
    EXPECT_EQ(error.code, Errc::cancelled);
    EXPECT_EQ(text(error, "request_sent"), "partly") << "the head was";
    EXPECT_EQ(client->stats().open, 0U);
    EXPECT_THAT(server->requests, SizeIs(0));
    reads.waiting.front()();
    reads.waiting.clear();
    settle();
}

TEST_F(Uploads, ThatCannotBeReadFailAndTheirConnectionGoes) {
    retry.attempts = 3;
    (void)serve([](const std::string&) { return Reply{ok("right")}; });
    make_uploader();
    const auto request = upload_of(5);
    std::filesystem::remove(folder.path() / "f");
    const Error error = failure_of(send(request));
    EXPECT_EQ(error.code, Errc::storage);
    EXPECT_THAT(error.message, HasSubstr("No such file"));
    EXPECT_THAT(error.message, HasSubstr("phase write"));
    EXPECT_EQ(client->stats().open, 0U);
    EXPECT_EQ(server->accepted(), 1U) << "it is not tried again";
    reads.refuses = true;
    EXPECT_EQ(failure_of(send(upload_of(5))).code, Errc::out_of_resources);
    reads.refuses = false;
    EXPECT_EQ(body_of(send(upload_of(5))), "right");
}

TEST_F(Uploads, AreAnsweredEarlyWhereTheServiceHasEnough) {
    (void)serve([](const std::string&) { return Reply{ok("right")}; });
    server->stop_reading();
    make_uploader();
    const auto call = send(upload_of(400 * slice, "POST"));
    run_until([&] { return server->accepted() == 1; });
    server->say(0, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
    run_until([&] { return call.done(); });
    EXPECT_EQ(call.result()->status, 413);
    EXPECT_EQ(call.result()->body, "big");
    EXPECT_EQ(client->stats().open, 0U);
}

TEST_F(Uploads, BecomeNothingWhereARedirectMakesAGetOfThem) {
    (void)serve([number = 0](const std::string&) mutable {
        switch (++number) {
            case 1: return Reply{"HTTP/1.1 307 There\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"};
            case 2: return Reply{"HTTP/1.1 303 See\r\nLocation: /seen\r\nContent-Length: 0\r\n\r\n"};
            default: return Reply{ok("right")};
        }
    });
    make_uploader();
    Request request = upload_of(slice, "POST");
    request.max_redirects = 2;
    EXPECT_EQ(body_of(send(std::move(request))), "right");
    ASSERT_THAT(server->requests, SizeIs(3));
    EXPECT_EQ(body_in(server->requests[1]), body_in(server->requests[0]));
    EXPECT_EQ(body_in(server->requests[2]), "");
}

TEST_F(Uploads, AreReadOnAnotherThread) {
    (void)serve([](const std::string&) { return Reply{ok("right")}; });
    ThreadExecutor thread;
    client = HttpClient::create(io, {server->url(), {}, {}, retry}, &thread).value();
    EXPECT_EQ(body_of(send(upload_of(100 * slice))), "right");
    EXPECT_THAT(body_in(server->requests[0]), SizeIs(100 * slice + 10));
}

}  // namespace
}  // namespace ktrdr::test
