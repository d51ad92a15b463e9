# Source this: puts the environment that scripts/setup made on this shell's paths.
#     source scripts/env.sh

_spatialpin_root="$(cd "$(dirname "${BASH_SOURCE[0]:-${(%):-%x}}")/.." && pwd)"
_spatialpin_venv="$_spatialpin_root/.venv"

_spatialpin_prepend() { # VARIABLE PATH: put PATH first unless it is there
    eval "local current=\"\${$1:-}\""
    case ":$current:" in
        *":$2:"*) ;;
        *) export "$1=$2${current:+:$current}" ;;
    esac
}

if grep -q 'include-system-site-packages = false' "$_spatialpin_venv/pyvenv.cfg" 2>/dev/null; then
    # ROS 2 comes from the wheels in .venv: what an unusable ROS installation left in the environment would shadow them.
    if [ -n "${ROS_DISTRO:-}" ]; then unset ROS_DISTRO PYTHONPATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH; fi
    for _spatialpin_libs in "$_spatialpin_venv"/lib/python3.*/site-packages/ros_*.libs; do
        if [ -d "$_spatialpin_libs" ]; then _spatialpin_prepend LD_LIBRARY_PATH "$_spatialpin_libs"; fi
    done
    # The wheels' start-up hook sets LD_LIBRARY_PATH by starting the interpreter a second time; it is set here already.
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
fi
_spatialpin_prepend LD_LIBRARY_PATH "$_spatialpin_venv/lib"
_spatialpin_prepend AMENT_PREFIX_PATH "$_spatialpin_venv"
_spatialpin_prepend CMAKE_PREFIX_PATH "$_spatialpin_venv"
_spatialpin_prepend PATH "$_spatialpin_venv/bin"
export VIRTUAL_ENV="$_spatialpin_venv"
# Room for camera images in shared memory; releases before Kilted know the variable by another name.
case "${ROS_DISTRO:-}" in
    humble | iron | jazzy) export FASTRTPS_DEFAULT_PROFILES_FILE="${FASTRTPS_DEFAULT_PROFILES_FILE:-$_spatialpin_root/config/fastdds.xml}" ;;
    *) export FASTDDS_DEFAULT_PROFILES_FILE="${FASTDDS_DEFAULT_PROFILES_FILE:-$_spatialpin_root/config/fastdds.xml}" ;;
esac
export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"

unset -f _spatialpin_prepend
unset _spatialpin_root _spatialpin_venv _spatialpin_libs
