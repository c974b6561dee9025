/** As in a container of 384 MiB, which holds four instances: larger pools are refused, as far as nobody insists. */
process.constrainedMemory = () => 384 * 1024 * 1024;
