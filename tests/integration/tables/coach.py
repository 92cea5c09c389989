"""The CSV files of the coach's app, with faults planted, each by its name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

USERS = 20


def write(folder: Path) -> Path:
    """users, workouts, nutrition, goals, habits, measurements, reminders, recipes and chat_history."""
    folder.mkdir()
    users = range(1, USERS + 1)

    def file(
        name: str, header: str, rows: Sequence[str], *, encoding: str = "utf-8", end: str = "\n"
    ) -> None:
        (folder / f"{name}.csv").write_bytes(
            "".join(f"{row}{end}" for row in [header, *rows]).encode(encoding)
        )

    people = [f"{at},Ada {at},0049170{at},{at % 2 == 0},2024-02-{at:02}" for at in users]
    file("users", "user_id,name,phone,subscribed,joined", people, encoding="utf-8-sig", end="\r\n")

    sets = [f'w{at},{at},2024-03-01T06:30:00.5,"squat, ""deep""\nthen rest"' for at in users]
    sets[4] += ",and one cell more"
    sets[10] = sets[10].replace("2024-03-01T06:30:00.5", "soon")
    file("workouts", "workout_id,user_id,started_at,exercises", sets)

    meals = [f"{at};{at};{at * 100};1.{at}" for at in users]
    meals[6] = "7;7;n/a;1.7"
    file("nutrition", "meal_id;user_id;calories;protein", meals)

    file("goals", "goal_id,user_id,goal", [*(f"{at},{at},5 km" for at in users), "21,99,nobody's"])
    file("habits", "habit_id\tuser_id\tstreak", [*(f"{at}\t{at}\t{at}" for at in users), "3\t3\t30"])

    sizes = [f"{at},2024-04-{at:02},{70 + at / 10}" for at in users]
    sizes[1] = "2,2024-02-30,70.2"
    file("measurements", "user_id,taken,weight", sizes)

    due = [f"{at},{at},2024-05-01 08:00:00" for at in users]
    due[2] = "3,3"
    file("reminders", "id,user_id,due", due)

    file("recipes", "recipe_id,title,photo", ['1,"",', "2,Soup,soup.jpg"])

    chat = "chat_id,user_id,message\n" + "".join(f"c{at},{at},hello\n" for at in users)
    (folder / "chat_history.csv").write_bytes(chat.encode().replace(b"c9,9,hello", b"c9,9,h\xffllo"))
    return folder
