// Asio and Beast compiled once, for every room.
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
