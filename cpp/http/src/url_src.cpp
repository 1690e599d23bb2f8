// Boost.URL compiled once, for every room.
#include <boost/url/src.hpp>
