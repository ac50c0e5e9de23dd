/* A lambda in another process: captures, arguments, a result, and an exception. */
#include <iostream>
#include <mp.hpp>
#include <stdexcept>

int main(int argc, char **argv)
{
    mp::bootstrap(argc, argv);

    int times = 3;
    mp::process shout(
        [times](const std::string &word) {
            std::string all;
            for (int i = 0; i < times; ++i)
                all += word + "!";
            return all;
        },
        "hey");
    std::cout << shout.returned<std::string>() << std::endl;

    mp::process_options quiet;
    quiet.stderr_fd = MP_STREAM_NULL;
    mp::process unlucky(quiet, [] { throw std::runtime_error("out of luck"); });
    try {
        unlucky.returned<int>();
    } catch (const mp::error &e) {
        std::cout << e.name() << ": " << e.what() << ", exit code " << unlucky.exitcode() << '\n';
    }
}
