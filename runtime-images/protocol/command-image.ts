/**
 * The file of a function layer that describes an image which is started instead of code. It is the layer's only file, and
 * its entry; the pool manager writes it, and no upload contains it.
 */
export const IMAGE_FILE = ".berth-image.json";

/** The parts of an image that a worker needs. */
export interface CommandImage {
  /** `registry/name@sha256:…`. */
  image: string;
  /** The command unless the function names one: entry point and arguments. */
  args: readonly string[];
  /** The port that the program gets as `$PORT`. */
  port: number;
}

/**
 * Path of the socket, on the volume that both containers of a pod share, at which the worker waits for the container of its
 * image. Beside it are the pipes of the program's output.
 */
export const COMMAND_SOCKET = "/berth/command";

/** The environment variable of a worker that contains the path of that socket; without it, there are no containers for images. */
export const SOCKET_VARIABLE = "BERTH_COMMAND_SOCKET";
