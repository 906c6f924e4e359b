/* nvidia-modprobe of a lab host, setuid root as the real one: loads the (simulated) kernel modules and makes device
 * nodes for users who may not. Options as in nvidia-modprobe(1): -c=MINOR (repeatable), -u, -m; others are ignored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST "/etc/ongpu-lab/host.ini"
#define NVIDIA_MAJOR 195
#define CONTROL 255
#define MODESET 254
#define UVM_MAJOR 511
#define MAX_MINORS 32

static int present(const char *path)
{
    return access(path, F_OK) == 0;
}

static int load(const char *module, const char *loaded)
{
    if (present(loaded))
        return 1;
    pid_t child = fork();
    if (child == 0) {
        char *const environment[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(127);
        execle("/sbin/modprobe", "modprobe", module, (char *)NULL, environment);
        _exit(127);
    }
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A node that is there is left as it is when it is the right one; else it is replaced. */
static int node(const char *path, unsigned major_number, unsigned minor_number)
{
    struct stat found;
    dev_t wanted = makedev(major_number, minor_number);
    if (stat(path, &found) == 0 && S_ISCHR(found.st_mode) && found.st_rdev == wanted)
        return 1;
    unlink(path);
    umask(0);
    return mknod(path, S_IFCHR | 0666, wanted) == 0;
}

static int node_of(unsigned minor_number)
{
    char path[32] = "/dev/nvidiactl";
    if (minor_number == MODESET)
        snprintf(path, sizeof path, "/dev/nvidia-modeset");
    else if (minor_number != CONTROL)
        snprintf(path, sizeof path, "/dev/nvidia%u", minor_number);
    return node(path, NVIDIA_MAJOR, minor_number);
}

int main(int count, char **arguments)
{
    unsigned minors[MAX_MINORS];
    int wanted = 0, uvm = 0, modeset = 0, done;
    if (!present(HOST)) {
        fprintf(stderr, "nvidia-modprobe: this is the ongpu lab's stand-in, it runs only on lab hosts (" HOST " is missing)\n");
        return 1;
    }
    for (int i = 1; i < count; i++) {
        const char *argument = arguments[i];
        if (!strcmp(argument, "-u") || !strncmp(argument, "--unified-memory", 16))
            uvm = 1;
        else if (!strcmp(argument, "-m") || !strcmp(argument, "--modeset"))
            modeset = 1;
        else if (!strncmp(argument, "-c", 2) || !strncmp(argument, "--create-nvidia-device-file", 27)) {
            const char *value = argument + strcspn(argument, "0123456789");
            if (!*value && i + 1 < count)
                value = arguments[++i];
            if (wanted < MAX_MINORS)
                minors[wanted++] = (unsigned)strtoul(value, NULL, 10);
        }
    }
    /* Wholly root: a shell script that modprobe may be would give the rights of a setuid program back. */
    if (setgid(0) != 0 || setuid(0) != 0)
        return 1;
    done = load("nvidia", "/sys/module/nvidia");
    for (int i = 0; done && i < wanted; i++)
        done = node_of(minors[i]);
    if (done && uvm)
        done = load("nvidia-uvm", "/sys/module/nvidia_uvm") && node("/dev/nvidia-uvm", UVM_MAJOR, 0)
               && node("/dev/nvidia-uvm-tools", UVM_MAJOR, 1);
    if (done && modeset)
        done = load("nvidia-modeset", "/sys/module/nvidia_modeset") && node_of(MODESET);
    return done ? 0 : 1;
}
