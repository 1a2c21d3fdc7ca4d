"""Small files in the exact formats in which the public sets are published."""

from automtl.data.sets import ali_ccp, aliexpress, census_income

LOG_HEADER = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,"
    "is_hate,long_view,play_time_ms,duration_ms,profile_stay_time,comment_stay_time,"
    "is_profile_enter,is_rand,tab"
)
USER_HEADER = (
    "user_id,user_active_degree,is_lowactive_period,is_live_streamer,is_video_author,"
    "follow_user_num,follow_user_num_range,fans_user_num,fans_user_num_range,friend_user_num,"
    "friend_user_num_range,register_days,register_days_range,"
    + ",".join(f"onehot_feat{number}" for number in range(18))
)
VIDEO_HEADER = (
    "video_id,author_id,video_type,upload_dt,upload_type,visible_status,video_duration,"
    "server_width,server_height,music_id,music_type,tag"
)


def write_ali_ccp(folder, *, num_rows=400, num_common=40):
    """Both halves, each with a tar archive's folder; returns `folder`."""
    for half in ("train", "test"):
        inside = folder / f"sample_{half}"
        inside.mkdir(parents=True)
        common = [common_line(f"{half}{index:04x}", index) for index in range(num_common)]
        (inside / f"common_features_{half}.csv").write_text("".join(common))
        rows = [
            skeleton_line(row, f"{half}{row * num_common // num_rows:04x}")
            for row in range(num_rows)
        ]
        (inside / f"sample_skeleton_{half}.csv").write_text("".join(rows))
    return folder


def features(*triples):
    return "\x01".join(f"{field}\x02{feature}\x03{value}" for field, feature, value in triples)


def common_line(index, seed):
    listed = [
        (field, 100 * seed + item, f"{(item * 7 % 5) / 2 + 0.5}")
        for field in ali_ccp.COMMON_LISTS
        for item in range(seed % 14)
    ]
    single = [(field, seed % (int(field) - 99), "1.0") for field in ali_ccp.COMMON]
    return f"{index},{len(listed) + len(single)},{features(*listed, *single)}\n"


def skeleton_line(row, index):
    click = int(row % 3 == 0)
    single = [
        (field, row % 50, "2.19722" if field in ali_ccp.WEIGHED else "1.0")
        for field in ali_ccp.SKELETON
        if field != "853" or row % 2
    ]
    every = [*single, ("210", row % 9, "1.0"), ("210", row % 7 + 10, "1.0")]
    return f"{row},{click},{int(row % 6 == 0)},{index},{len(every)},{features(*every)}\n"


def write_aliexpress(folder, *, num_rows=400):
    """The folder AliExpress_NL; ten rows a search."""
    inside = folder / "AliExpress_NL"
    inside.mkdir(parents=True)
    for part, start in (("train", 0), ("test", 100_000)):
        lines = [",".join(name for name in aliexpress.RAW)]
        for row in range(num_rows):
            ids = [row % (3 + number) for number in range(16)]
            numbers = [f"{(row * (number + 1) % 17) / 17:.6f}" for number in range(63)]
            labels = [int(row % 3 == 0), int(row % 6 == 0)]
            lines.append(",".join(map(str, [start + row // 10, *ids, *numbers, *labels])))
        (inside / f"{part}.csv").write_text("\n".join(lines) + "\n")
    return folder


def census_line(row):
    values = dict.fromkeys(census_income.FIELDS, " Not in universe")
    values |= {
        name: f" {(row * 7 + place) % 90}" for place, name in enumerate(census_income.NUMBERS)
    }
    values |= {
        "age": f"{row % 91}",  # the first field has no blank before it
        "education": (" High school graduate", " Bachelors degree(BA AB BS)")[row % 2],
        "marital_stat": (" Never married", " Divorced", " Widowed")[row % 3],
        "instance_weight": f" {1000 + row / 4:.2f}",
        "mig_chg_msa": " ?",
        "citizenship": " Foreign born- Not a citizen of U S ",
        "year": (" 94", " 95")[row % 2],
        "income": (" - 50000.", " 50000+.")[int(row % 5 == 0)],
    }
    return ",".join(values[name] for name in census_income.FIELDS) + "\n"


def write_census(folder, *, num_rows=400):
    folder.mkdir(parents=True)
    for part in ("data", "test"):
        lines = "".join(census_line(row) for row in range(num_rows))
        (folder / f"census-income.{part}").write_text(lines)
    return folder


def log_line(row, *, date, is_rand=0):
    click = int(row % 2 == 0)
    duration = (10_000, 66_400, 0)[row % 3]
    played = (9_500, 1_000, 70_000)[row % 5 % 3] if row % 7 else 0
    values = [
        row % 30, row % 47, date, row % 24 * 100, 1_650_000_000_000 + row, click,
        int(row % 11 == 0), 0, 0, 0, 0, int(row % 4 == 0), played, duration,
        0, 0, 0, is_rand, row % 15,
    ]  # fmt: skip
    return ",".join(map(str, values)) + "\n"


def user_line(user):
    onehot = ["" if number == 4 and user % 9 == 0 else str(user % 2) for number in range(12)]
    onehot += ["" if user % 13 == 0 else f"{user % 2}.0" for _ in range(6)]
    return (
        f'{user},full_active,0,-124,1,5,"(0,10]",312,"[100,1k)",0,0,3624,730+,{",".join(onehot)}\n'
    )


def video_line(video):
    tag = ("39", '"12,65"', "")[video % 3]
    length = "" if video % 10 == 0 else "17200.0"
    upload = ("ShortImport", "Kmovie")[video % 2]
    return (
        f"{video},{10 * video},NORMAL,2022-04-{1 + video % 20:02d},{upload},1,{length},720,1280,"
        f"989206467,{'' if video % 10 == 0 else '4.0'},{tag}\n"
    )


def write_kuairand(folder, version="pure", *, num_rows=600):
    """Logs from 04-20 to 05-08, in as many parts as the version has, and the tables."""
    inside = folder / f"KuaiRand-{version.capitalize()}" / "data"
    inside.mkdir(parents=True)
    parts = ("_part1", "_part2") if version == "27k" else ("",)
    dates = [*range(20220422, 20220431), *range(20220501, 20220509)]
    for part, row in zip(parts, range(len(parts)), strict=True):
        rows = range(row, num_rows, len(parts))
        before = [log_line(one, date=20220408 + one % 14) for one in rows]
        during = [log_line(one, date=dates[one * len(dates) // num_rows]) for one in rows]
        for days, lines in (("4_08_to_4_21", before), ("4_22_to_5_08", during)):
            path = inside / f"log_standard_{days}_{version}{part}.csv"
            path.write_text("".join([LOG_HEADER + "\n", *lines]))
    random = [log_line(one, date=dates[one % len(dates)], is_rand=1) for one in range(100)]
    (inside / f"log_random_4_22_to_5_08_{version}.csv").write_text(
        LOG_HEADER + "\n" + "".join(random)
    )
    tables = {
        "user_features": (USER_HEADER, map(user_line, range(30))),
        "video_features_basic": (VIDEO_HEADER, map(video_line, range(47))),
    }
    for name, (header, lines) in tables.items():
        (inside / f"{name}_{version}.csv").write_text("".join([header + "\n", *lines]))
    return folder


WRITERS = {
    "ali_ccp": write_ali_ccp,
    "aliexpress_nl": write_aliexpress,
    "census_income": write_census,
    "kuairand_pure": write_kuairand,
    "kuairand_1k": lambda folder: write_kuairand(folder, "1k"),
    "kuairand_27k": lambda folder: write_kuairand(folder, "27k"),
}
