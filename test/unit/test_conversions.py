# SPDX-License-Identifier: Apache-2.0
"""Nouns survive the way into a message, through the wire format, and back; bad messages say what is wrong."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

pytest.importorskip("rclpy")

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image, PointField

from spatialpin_ros import conversions as cv
from spatialpin_ros.camera import CameraFrame, ImageMask, Intrinsics
from spatialpin_ros.errors import CameraFrameError, InvalidValueError
from spatialpin_ros.geometry import OrientedBox, Pose, TriangleMesh
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import Alternative, CandidateFailure, Plan, PlanFailure, PlanStage, Trajectory
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface
from spatialpin_ros.task import Task, TaskStep

SETTINGS = settings(max_examples=25, deadline=None)
FINITE = st.floats(-10.0, 10.0, allow_nan=False)
TEXT = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), min_size=1, max_size=12
)


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


@st.composite
def poses(draw):
    quaternion = draw(hnp.arrays(np.float64, 4, elements=st.floats(-1.0, 1.0)))
    if np.linalg.norm(quaternion) < 0.1:
        quaternion = np.array([0.0, 0.0, 0.0, 1.0])
    return Pose(draw(hnp.arrays(np.float64, 3, elements=FINITE)), quaternion)


def close(one, other):
    """Compare the JSON documents of two nouns, numbers to single precision where messages hold no more."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            close(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            close(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-6)
    else:
        assert one == other


@SETTINGS
@given(poses())
def test_pose(pose):
    back = cv.pose_from_msg(over_the_wire(cv.pose_to_msg(pose)))
    np.testing.assert_allclose(back.position, pose.position, atol=1e-15)
    np.testing.assert_allclose(back.quaternion, pose.quaternion, atol=1e-15)


@given(poses())
@SETTINGS
def test_transform(pose):
    message = over_the_wire(cv.transform_to_msg("base", "camera", pose, 1.5))
    assert (message.header.frame_id, message.child_frame_id) == ("base", "camera")
    np.testing.assert_allclose(cv.pose_from_transform_msg(message).matrix, pose.matrix, atol=1e-12)


def test_an_unset_pose_has_no_direction():
    message = cv.pose_to_msg(Pose())
    message.orientation.w = 0.0
    with pytest.raises(InvalidValueError, match="zero length"):
        cv.pose_from_msg(message)


@SETTINGS
@given(st.integers(0, 2**31 - 1), st.integers(0, 999_999_999))
def test_time(sec, nanosec):
    message = cv.time_to_msg(sec + nanosec * 1e-9)
    assert cv.seconds(message) == pytest.approx(sec + nanosec * 1e-9, abs=1e-6)
    assert 0 <= message.nanosec < 1_000_000_000


def test_negative_time_is_refused():
    with pytest.raises(InvalidValueError, match="negative"):
        cv.time_to_msg(-1.0)


@st.composite
def scene_objects(draw, index):
    count = draw(st.integers(0, 30))
    mask = draw(st.none() | hnp.arrays(np.bool_, (draw(st.integers(1, 9)), draw(st.integers(1, 9)))))
    mesh = TriangleMesh(np.eye(3), [[0, 1, 2]]) if draw(st.booleans()) else None
    colored = draw(st.booleans())
    return SceneObject(
        id=f"o{index}",
        name=f"thing {index}",
        label=draw(TEXT),
        color=draw(TEXT),
        color_rgb=draw(hnp.arrays(np.uint8, 3)),
        shape=draw(st.sampled_from(["box", "cylinder", "sphere", "unknown"])),
        box=OrientedBox(draw(poses()), draw(hnp.arrays(np.float64, 3, elements=st.floats(0.001, 1.0)))),
        fit_residual_m=draw(st.floats(0.0, 0.1)),
        points=draw(hnp.arrays(np.float32, (count, 3), elements=st.floats(-1.0, 1.0, width=32))),
        colors=draw(hnp.arrays(np.uint8, (count if colored else 0, 3))),
        supported_by="table" if index == 0 else f"o{index - 1}",
        confidence=draw(st.floats(0.0, 1.0)),
        visibility=draw(st.floats(0.0, 1.0)),
        mask=None if mask is None else ImageMask(mask, (draw(st.integers(0, 99)), draw(st.integers(0, 99)))),
        mesh=mesh,
    )


@st.composite
def scenes(draw):
    outline = draw(hnp.arrays(np.float64, (4, 2), elements=FINITE))
    intrinsics = Intrinsics(640, 480, 600.0, 601.0, 319.5, 239.5, "file")
    return Scene(
        supports=(SupportSurface("table", draw(poses()), outline),),
        objects=tuple(draw(scene_objects(index)) for index in range(draw(st.integers(0, 3)))),
        base_T_camera=draw(poses()),
        intrinsics=draw(st.sampled_from([None, intrinsics])),
        stamp_s=draw(st.floats(0.0, 1e6)),
        base_frame=draw(TEXT),
        unexplained=draw(hnp.arrays(np.float32, (5, 3), elements=st.floats(-1.0, 1.0, width=32))),
    )


@SETTINGS
@given(scenes())
def test_scene(scene):
    close(cv.scene_from_msg(over_the_wire(cv.scene_to_msg(scene))).to_dict(), scene.to_dict())


@SETTINGS
@given(st.floats(0.0, 0.1) | st.none(), st.booleans(), TEXT)
def test_task(number, in_area, words):
    area = np.array([[0.4, 0.1], [0.5, 0.1], [0.5, 0.2]])
    place = (
        TaskStep("place_in_area", "o1", "table", area, drop_height_m=number)
        if in_area
        else TaskStep("place_on", "o1", "o2", drop_height_m=number)
    )
    pick = TaskStep("pick", "o1", closing_width_m=number, lift_height_m=number, keep_upright=in_area)
    task = Task("t", words, (pick, place), words, "symbolic", words, 0.25)
    close(cv.task_from_msg(over_the_wire(cv.task_to_msg(task))).to_dict(), task.to_dict())


def make_trajectory(start=0.0, end=1.0, count=6):
    positions = np.linspace(start, end, count)[:, None] * np.array([1.0, -2.0])
    return Trajectory(("a", "b"), np.linspace(0.0, 1.3, count), positions, positions * 0.5, positions * 0.1)


def make_plan():
    waypoints = np.tile(np.array([0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 1.0]), (3, 1))
    stages = (
        PlanStage("approach", 0, trajectory=make_trajectory(), tcp_waypoints=waypoints, text="go"),
        PlanStage("grasp", 0, gripper_width_m=0.03, gripper_force_n=20.0),
        PlanStage(
            "lift",
            0,
            trajectory=make_trajectory(1.0, 0.5),
            tcp_waypoints=waypoints,
            holding="o1",
            linear=True,
        ),
    )
    task = Task("t", "pick it", (TaskStep("pick", "o1"),))
    grasp, goal = Pose((0.0, 0.0, 0.05)), Pose((0.5, 0.1, 0.2))
    others = (Alternative(0, "tilted", 1.5, "longer"), Alternative(0, "from the side", None, "out of reach"))
    return Plan(
        task,
        stages,
        ("a", "b"),
        "base",
        "tip",
        {"o1": grasp},
        {"o1": goal},
        12.5,
        {"planning_s": 0.3},
        others,
    )


def test_plan():
    plan = make_plan()
    back = cv.plan_from_msg(over_the_wire(cv.plan_to_msg(plan, 3.0)))
    for one, other in zip(plan.stages, back.stages, strict=True):
        assert (one.name, one.holding, one.linear, one.text) == (
            other.name,
            other.holding,
            other.linear,
            other.text,
        )
        assert one.gripper_width_m == other.gripper_width_m
        np.testing.assert_array_equal(one.tcp_waypoints, other.tcp_waypoints)
        if one.trajectory is not None:
            np.testing.assert_allclose(one.trajectory.times, other.trajectory.times, atol=1e-9)
            for name in ("positions", "velocities", "accelerations"):
                np.testing.assert_array_equal(getattr(one.trajectory, name), getattr(other.trajectory, name))
    assert (back.scene_stamp_s, back.metrics, back.tip_frame) == (12.5, {"planning_s": 0.3}, "tip")
    assert back.alternatives == plan.alternatives
    assert Plan.from_dict(plan.to_dict()).alternatives == plan.alternatives
    np.testing.assert_array_equal(back.object_T_tcp["o1"].matrix, plan.object_T_tcp["o1"].matrix)


def test_joints_in_another_order_are_sorted_and_strangers_refused():
    message = cv.trajectory_to_msg(make_trajectory())
    back = cv.trajectory_from_msg(message, ["b", "a"])
    np.testing.assert_array_equal(back.positions, make_trajectory().positions[:, ::-1])
    with pytest.raises(InvalidValueError, match="not the expected"):
        cv.trajectory_from_msg(message, ["a", "c"])
    with pytest.raises(InvalidValueError, match="not the expected"):
        cv.trajectory_from_msg(message, ["a"])


def test_trajectory_with_a_short_point_is_refused():
    message = cv.trajectory_to_msg(make_trajectory())
    message.points[2].positions = [1.0]
    with pytest.raises(InvalidValueError, match="point 2"):
        cv.trajectory_from_msg(message)


@SETTINGS
@given(st.floats(0.0, 60.0), TEXT)
def test_plan_failure(elapsed_s, words):
    failure = PlanFailure(
        "ik", "place", words, (CandidateFailure("g1", "place", "no_path", words),), elapsed_s
    )
    assert cv.plan_failure_from_msg(over_the_wire(cv.plan_failure_to_msg(failure))) == failure


@pytest.mark.parametrize(
    ("status", "level", "reason"),
    [("succeeded", "stacked", ""), ("failed", "contacted", "not_on_target"), ("cancelled", "picked", "cancelled"),
     ("planned", "none", ""), ("succeeded", "placed", "")],
)  # fmt: skip
def test_outcome(status, level, reason):
    outcome = Outcome(
        "t", status, level, reason, "said", "place", 4.5, {"horizontal_offset_m": 0.002}, ("o5",)
    )
    assert cv.outcome_from_msg(over_the_wire(cv.outcome_to_msg(outcome))) == outcome


def test_outcome_with_an_unknown_number_is_refused():
    message = cv.outcome_to_msg(Outcome("t", "succeeded", "stacked"))
    message.level = 99
    with pytest.raises(InvalidValueError, match="99"):
        cv.outcome_from_msg(message)


def make_frame(height=12, width=16, seed=0):
    rng = np.random.default_rng(seed)
    color = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    depth = rng.uniform(0.3, 2.0, (height, width)).astype(np.float32)
    depth[0, 0] = 0.0
    return CameraFrame(
        color, depth, Intrinsics(width, height, 20.0, 21.0, 7.5, 5.5), Pose((1.0, 0.0, 0.5)), 2.25
    )


@pytest.mark.parametrize(("encoding", "error_m"), [("32FC1", 0.0), ("16UC1", 0.00051)])
def test_camera_frame(encoding, error_m):
    frame = make_frame()
    messages = [over_the_wire(message) for message in cv.camera_frame_to_msgs(frame, encoding)]
    back = cv.camera_frame_from_msgs(*messages, frame.base_T_camera, frame.base_frame)
    np.testing.assert_array_equal(back.color, frame.color)
    np.testing.assert_allclose(back.depth_m, frame.depth_m, atol=error_m)
    assert back.intrinsics == frame.intrinsics
    assert (back.stamp_s, back.camera_frame) == (frame.stamp_s, frame.camera_frame)


def padded(pixels, encoding, *, big=False, padding=5):
    """Build an image with padded rows in either byte order, independently of the code under test."""
    stored = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
    rows = [row.tobytes() + b"\xee" * padding for row in stored]
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=int(big),
        step=len(rows[0]),
        data=b"".join(rows),
    )


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "channels"),
    [("rgb8", [0, 1, 2]), ("bgr8", [2, 1, 0]), ("rgba8", [0, 1, 2, 0]), ("bgra8", [2, 1, 0, 0])],
)
def test_colour_encodings(encoding, channels, padding):
    color = make_frame().color
    message = padded(color[..., channels], encoding, padding=padding)
    np.testing.assert_array_equal(cv.color_from_msg(over_the_wire(message)), color)


@pytest.mark.parametrize("big", [False, True])
def test_grey_encodings(big):
    grey = make_frame().color[..., 0]
    np.testing.assert_array_equal(cv.color_from_msg(padded(grey, "mono8")), np.dstack([grey] * 3))
    wide = grey.astype(np.uint16) * 256 + 17
    np.testing.assert_array_equal(cv.color_from_msg(padded(wide, "mono16", big=big)), np.dstack([grey] * 3))


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["16UC1", "mono16", "32FC1"])
def test_depth_encodings_with_padding_in_both_byte_orders(encoding, big):
    depth = make_frame().depth_m
    stored = depth if encoding == "32FC1" else np.rint(depth * 1000).astype(np.uint16)
    back = cv.depth_from_msg(over_the_wire(padded(stored, encoding, big=big, padding=3)))
    np.testing.assert_allclose(back, depth, atol=0.0 if encoding == "32FC1" else 0.00051)


def test_opencv_names_of_encodings():
    color = make_frame().color
    bgr = padded(np.ascontiguousarray(color[..., ::-1]), "8UC3")
    np.testing.assert_array_equal(cv.color_from_msg(bgr), color)
    grey = padded(color[..., 0], "8UC1")
    np.testing.assert_array_equal(cv.color_from_msg(grey), np.dstack([color[..., 0]] * 3))


@pytest.mark.parametrize("encoding", ["mono8", "8UC1", "rgb8"])
def test_eight_bit_depth_is_refused(encoding):
    pixels = make_frame().color if encoding == "rgb8" else make_frame().color[..., 0]
    with pytest.raises(CameraFrameError, match=f"'{encoding}' is not depth; known are"):
        cv.depth_from_msg(padded(pixels, encoding))


def test_depth_is_no_colour():
    with pytest.raises(CameraFrameError, match="'32FC1' is not a colour; known are"):
        cv.color_from_msg(padded(make_frame().depth_m, "32FC1"))


def test_all_zero_depth_and_images_without_pixels_are_refused():
    color, depth, info = cv.camera_frame_to_msgs(make_frame(), "16UC1")
    depth.data = bytes(len(depth.data))
    with pytest.raises(CameraFrameError, match="depth stream running"):
        cv.camera_frame_from_msgs(color, depth, info, Pose())
    with pytest.raises(CameraFrameError, match="0x0"):
        cv.camera_frame_from_msgs(Image(encoding="rgb8"), depth, info, Pose())


@pytest.mark.parametrize("number", [math.nan, math.inf, -5.0])
def test_calibration_of_nonsense_is_refused(number):
    color, depth, info = cv.camera_frame_to_msgs(make_frame())
    info.k[0] = number
    with pytest.raises(CameraFrameError, match="calibrated"):
        cv.camera_frame_from_msgs(color, depth, info, Pose())


def test_unknown_encodings_and_short_data_are_named():
    message = padded(make_frame().color, "rgb8")
    message.encoding = "nv21"
    with pytest.raises(CameraFrameError, match="nv21"):
        cv.color_from_msg(message)
    with pytest.raises(CameraFrameError, match="32FC1"):
        cv.depth_from_msg(padded(make_frame().color, "rgb8"))
    message = padded(make_frame().color, "rgb8")
    message.data = message.data[:-40]
    with pytest.raises(CameraFrameError, match="altogether"):
        cv.color_from_msg(message)


def test_camera_info_of_another_size_is_refused():
    color, depth, info = cv.camera_frame_to_msgs(make_frame())
    info.width, info.height = 32, 24
    with pytest.raises(CameraFrameError, match="aligned"):
        cv.camera_frame_from_msgs(color, depth, info, Pose())


def test_uncalibrated_camera_is_refused():
    color, depth, info = cv.camera_frame_to_msgs(make_frame())
    info.k = np.zeros(9)
    with pytest.raises(CameraFrameError, match="calibrated"):
        cv.camera_frame_from_msgs(color, depth, info, Pose())


def test_binned_image_is_refused():
    _, _, info = cv.camera_frame_to_msgs(make_frame())
    info.binning_x = 2
    with pytest.raises(CameraFrameError, match="binning"):
        cv.intrinsics_from_msg(info)


def test_nan_depth_becomes_no_measurement():
    color, depth, info = cv.camera_frame_to_msgs(make_frame())
    values = make_frame().depth_m.copy()
    values[3:6] = math.nan
    depth = cv.depth_to_msg(values, "camera")
    frame = cv.camera_frame_from_msgs(color, depth, info, Pose())
    assert (frame.depth_m[3:6] == 0.0).all()
    with pytest.raises(CameraFrameError, match="no pixel"):
        cv.camera_frame_from_msgs(
            color, cv.depth_to_msg(np.full_like(values, math.nan), "camera"), info, Pose()
        )


def distorted_dot(d, model):
    """An image with one bright dot at the place where a lens with coefficients d puts the ray (0.3, 0.2, 1)."""
    import cv2

    size, k = (640, 480), np.array([[500.0, 0.0, 319.5], [0.0, 500.0, 239.5], [0.0, 0.0, 1.0]])
    ray = np.array([[[0.3, 0.2, 1.0]]])
    if model == "equidistant":
        pixel = cv2.fisheye.distortPoints(ray[..., :2], k, np.array(d))[0, 0]
    else:
        pixel = cv2.projectPoints(ray, np.zeros(3), np.zeros(3), k, np.array(d))[0][0, 0]
    color = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    column, row = np.rint(pixel).astype(int)
    color[row - 2 : row + 3, column - 2 : column + 3] = 255
    depth = np.where(color[..., 0] > 0, 1.5, 1.0).astype(np.float32)
    info = CameraInfo(width=size[0], height=size[1], distortion_model=model, d=list(d), k=k.ravel())
    return cv.color_to_msg(color, "camera"), cv.depth_to_msg(depth, "camera"), info


@pytest.mark.parametrize(
    ("model", "d"),
    [("plumb_bob", [0.12, -0.2, 0.001, -0.002, 0.0]), ("equidistant", [-0.02, 0.004, 0.0, 0.0]),
     ("rational_polynomial", [0.1, -0.1, 0.0, 0.0, 0.01, 0.02, 0.0, 0.0])],
)  # fmt: skip
def test_distortion_is_removed_from_both_images(model, d):
    frame = cv.camera_frame_from_msgs(*distorted_dot(d, model), Pose())
    where = np.argwhere(frame.color[..., 0] > 128).mean(axis=0)
    np.testing.assert_allclose(where, [239.5 + 500 * 0.2, 319.5 + 500 * 0.3], atol=1.0)
    assert frame.depth_m[tuple(np.rint(where).astype(int))] == pytest.approx(1.5)


def test_unknown_distortion_model_says_what_to_do():
    color, depth, info = distorted_dot([0.1, 0.0, 0.0, 0.0, 0.0], "plumb_bob")
    info.distortion_model = "omni"
    with pytest.raises(CameraFrameError, match="rectified"):
        cv.camera_frame_from_msgs(color, depth, info, Pose())


def test_rectified_images_take_p_and_leave_the_pixels():
    color, depth, info = distorted_dot([0.1, 0.0, 0.0, 0.0, 0.0], "plumb_bob")
    info.p = np.array([450.0, 0.0, 320.0, 0.0, 0.0, 455.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    frame = cv.camera_frame_from_msgs(color, depth, info, Pose(), rectified=True)
    assert (frame.intrinsics.fx, frame.intrinsics.fy, frame.intrinsics.cy) == (450.0, 455.0, 240.0)
    np.testing.assert_array_equal(frame.color, cv.color_from_msg(color))


def test_foreign_cloud_with_other_fields_big_endian_and_nan():
    dtype = np.dtype({"names": ["i", "x", "y", "z"], "formats": [">u2", ">f8", ">f4", ">f4"], "offsets": [0, 4, 12, 16],
                      "itemsize": 24})  # fmt: skip
    table = np.zeros(3, dtype=dtype)
    table["x"], table["y"], table["z"] = [1, 2, math.nan], [4, 5, 6], [7, 8, 9]
    message = cv.points_to_msg(np.zeros((3, 3), dtype=np.float32), np.zeros((0, 3), dtype=np.uint8), "base")
    message.fields = [
        PointField(name="i", offset=0, datatype=PointField.UINT16, count=1),
        PointField(name="x", offset=4, datatype=PointField.FLOAT64, count=1),
        PointField(name="y", offset=12, datatype=PointField.FLOAT32, count=1),
        PointField(name="z", offset=16, datatype=PointField.FLOAT32, count=1),
    ]
    message.point_step, message.row_step, message.is_bigendian, message.data = 24, 72, True, table.tobytes()
    points, colors = cv.points_from_msg(over_the_wire(message))
    np.testing.assert_array_equal(points, [[1, 4, 7], [2, 5, 8]])
    assert len(colors) == 0


def test_cloud_without_coordinates_is_refused():
    message = cv.points_to_msg(np.ones((2, 3), dtype=np.float32), np.zeros((0, 3), dtype=np.uint8), "base")
    message.fields = message.fields[:2]
    with pytest.raises(InvalidValueError, match=r"\['z'\]"):
        cv.points_from_msg(message)


def test_markers_show_every_object_and_delete_the_old_ones():
    box = OrientedBox(Pose((0.5, 0.0, 0.1)), np.array([0.1, 0.2, 0.2]))
    red = np.array([255, 0, 0], dtype=np.uint8)
    item = SceneObject("o1", "red block", "block", "red", red, "box", box)
    table = SupportSurface("table", Pose(), [[0, 0], [1, 0], [1, 1]])
    markers = cv.scene_to_markers(Scene((table,), (item,), Pose())).markers
    assert markers[0].action == markers[0].DELETEALL
    solid, text = markers[1], markers[2]
    assert (solid.type, solid.scale.y, solid.color.r) == (solid.CUBE, 0.2, 1.0)
    assert text.text == "red block"
    assert text.pose.position.z > box.top_z
    assert len({(marker.ns, marker.id) for marker in markers[1:]}) == len(markers) - 1


def test_cloud_of_a_scene_holds_all_points():
    item = SceneObject(
        "o1",
        "a",
        "a",
        "red",
        np.array([255, 0, 0], dtype=np.uint8),
        "box",
        OrientedBox(Pose(), np.ones(3)),
        points=np.ones((4, 3), dtype=np.float32),
    )
    table = SupportSurface("table", Pose(), [[0, 0], [1, 0], [1, 1]])
    scene = Scene((table,), (item,), Pose(), unexplained=np.zeros((2, 3), dtype=np.float32))
    points, colors = cv.points_from_msg(cv.scene_to_cloud(scene))
    assert len(points) == 6
    assert colors[0].tolist() == [255, 0, 0]
    assert colors[-1].tolist() == [128, 128, 128]


def test_plan_for_display_is_one_increasing_trajectory_and_a_path():
    plan = make_plan()
    trajectory = cv.trajectory_from_msg(over_the_wire(cv.plan_to_trajectory(plan)))
    assert trajectory.duration_s == pytest.approx(plan.duration_s, abs=1e-6)
    np.testing.assert_array_equal(trajectory.positions[-1], plan.stages[-1].trajectory.positions[-1])
    path = cv.plan_to_path(plan)
    assert len(path.poses) == len(plan.waypoints)
    assert path.header.frame_id == "base"
    lines = [marker for marker in cv.plan_to_markers(plan).markers if marker.ns == "stages"]
    assert len(lines) == 2
    assert len(lines[0].points) == 3


def test_where_the_depth_came_from_goes_with_the_scene():
    table = SupportSurface("table", Pose(), np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    scene = Scene((table,), (), Pose(), depth_source="estimated")
    assert cv.scene_from_msg(over_the_wire(cv.scene_to_msg(scene))).depth_source == "estimated"
    assert Scene.from_dict(scene.to_dict()).depth_source == "estimated"
    old = cv.scene_to_msg(scene)
    old.depth_source = ""
    assert cv.scene_from_msg(old).depth_source == "measured"
    with pytest.raises(InvalidValueError, match="guessed"):
        replace(scene, depth_source="guessed")


@pytest.mark.parametrize(
    ("encoding", "flag"), [("yuv422", "UYVY"), ("uyvy", "UYVY"), ("yuv422_yuy2", "YUY2"), ("yuyv", "YUY2")]
)
def test_yuv_images_of_usb_cameras_become_rgb(encoding, flag):
    cv2 = pytest.importorskip("cv2")
    red = np.zeros((4, 6, 3), dtype=np.uint8)
    red[...] = (200, 30, 30)
    data = cv2.cvtColor(red, getattr(cv2, f"COLOR_RGB2YUV_{flag}"))
    message = Image(height=4, width=6, encoding=encoding, step=12, data=data.tobytes())
    assert np.abs(cv.color_from_msg(message).astype(int) - red).max() <= 4
    message.width, message.step = 5, 10
    with pytest.raises(CameraFrameError, match="even"):
        cv.color_from_msg(message)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_images_become_rgb(pattern):
    color = {"r": 200, "g": 90, "b": 30}
    tile = np.array(
        [[color[pattern[0]], color[pattern[1]]], [color[pattern[2]], color[pattern[3]]]], dtype=np.uint8
    )
    raw = np.tile(tile, (4, 4))
    message = Image(height=8, width=8, encoding=f"bayer_{pattern}8", step=8, data=raw.tobytes())
    np.testing.assert_array_equal(
        cv.color_from_msg(message)[2:-2, 2:-2], np.broadcast_to([200, 90, 30], (4, 4, 3))
    )


@pytest.mark.parametrize("encoding", ["rgb16", "bgr16"])
def test_sixteen_bit_colours_keep_their_upper_half(encoding):
    pixel = np.array([200, 90, 30], dtype="<u2") * 256 + 7
    ordered = pixel if encoding == "rgb16" else pixel[::-1]
    data = np.broadcast_to(ordered, (2, 3, 3)).astype("<u2")
    message = Image(height=2, width=3, encoding=encoding, step=18, data=data.tobytes())
    np.testing.assert_array_equal(cv.color_from_msg(message)[0, 0], [200, 90, 30])
