#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/json/value.hpp>
#include <exception>
#include <memory>
#include <utility>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/runtime/mailbox.hpp>
#include <ktrdr/runtime/runtime.hpp>

namespace ktrdr {

/// Where the outcome of a call goes.
struct ReplyTo {
    Runtime& runtime;
    std::shared_ptr<Mailbox> mailbox;
    std::uint64_t key;

    /// On the io thread. The mailbox's owner is woken when what is ready now has been handled: once for all of it.
    template <class Value>
    void post(Result<Value> outcome) const {
        send(reply_mail(key, std::move(outcome)));
    }
    /// The same for a part of it that is there already.
    template <class Value>
    void post_part(Value part) const {
        Mail mail = reply_mail(key, Result<Value>(std::move(part)));
        mail.kind = Mail::Kind::part;
        send(std::move(mail));
    }
    /// Have what escaped, if anything, be the reply: for the end of a coroutine.
    void operator()(const std::exception_ptr& thrown) const {
        if (thrown) {
            guard([&] { std::rethrow_exception(thrown); });
        }
    }
    /// Begin something whose reply comes later, or have what escapes be the reply.
    template <class Begin>
    void guard(Begin begin) const {
        try {
            begin();
        } catch (...) {
            post(Result<boost::json::value>(caught("a call in the core")));
        }
    }

private:
    void send(Mail mail) const {
        if (mailbox->post_quietly(std::move(mail))) {
            runtime.io().post_last([box = mailbox] { box->wake(); });
        }
    }
};

// Parameters by value: they live in the frame until the reply is posted. The await stands alone: GCC 12 moves an
// aggregate that is half built when the coroutine stops byte by byte.
template <class Value, class Owner>
boost::asio::awaitable<void> send_reply(boost::asio::awaitable<Result<Value>> work, std::shared_ptr<Owner>,
                                        ReplyTo to) {
    auto outcome = co_await std::move(work);
    to.post(std::move(outcome));
}

/// The reply to what has no value is null.
template <class Owner>
boost::asio::awaitable<void> send_reply(boost::asio::awaitable<Result<void>> work, std::shared_ptr<Owner>, ReplyTo to) {
    using Row = Result<boost::json::value>;
    auto outcome = co_await std::move(work);
    to.post(outcome ? Row(boost::json::value()) : Row(std::move(outcome).error()));
}

/// Run `work(owner)`, a coroutine, on the io thread and post what it comes to. The owner is kept until then.
template <class Owner, class Work>
void reply_with(std::shared_ptr<Owner> owner, ReplyTo to, Work work) {
    IoThread& io = to.runtime.io();
    io.post([owner = std::move(owner), to = std::move(to), work = std::move(work)]() mutable {
        to.guard([&] {
            auto begun = work(*owner);
            boost::asio::co_spawn(to.runtime.io().context(), send_reply(std::move(begun), std::move(owner), to), to);
        });
    });
}

}  // namespace ktrdr
